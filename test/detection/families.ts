import type { ImageGeometry } from '../../src/dataset/index.js';
import { chooseDecoder, type DecoderOverride, type ModelView } from '../../src/detection/index.js';
import type { HostTensor, TensorSpec } from '../../src/engine/index.js';

type Output = readonly [name: string, dims: number[], type?: TensorSpec['type']];
export const view = (
  outputs: readonly Output[],
  more: Partial<ModelView> = {},
  size = [64, 64],
): ModelView => ({
  inputs: [{ name: 'images', type: 'float32', dims: [1, 3, ...size] }],
  outputs: outputs.map(([name, dims, type = 'float32']) => ({ name, type, dims })),
  metadata: new Map(),
  ...more,
});
const images: TensorSpec = { name: 'images', type: 'float32', dims: [1, 3, 64, 64] };
export const names = (n: number) =>
  new Map([['names', `{${Array.from({ length: n }, (_, i) => `${i}: 'c${i}'`).join(', ')}}`]]);
const targetSizes: TensorSpec = { name: 'orig_target_sizes', type: 'int64', dims: [1, 2] };
const scaleFactor: TensorSpec = { name: 'scale_factor', type: 'float32', dims: [1, 2] };

/** 128 by 96, letterboxed to 64 by 64: half the size, 8 rows of padding above. */
export const LETTERBOX: ImageGeometry = {
  scaleX: 0.5,
  scaleY: 0.5,
  padX: 0,
  padY: 8,
  originalWidth: 128,
  originalHeight: 96,
};
/** 128 by 96, stretched to 64 by 64. */
export const STRETCH: ImageGeometry = { ...LETTERBOX, scaleY: 64 / 96, padY: 0 };

export function decode(
  model: ModelView,
  data: readonly (readonly number[])[],
  geometry: ImageGeometry,
  override?: DecoderOverride,
): number[][] {
  const outputs = new Map<string, HostTensor>();
  model.outputs.forEach(({ name, type, dims }, i) =>
    outputs.set(name, { type, dims: ran(dims, data[i]!.length), data: Float32Array.from(data[i]!) }),
  );
  const boxes: number[][] = [];
  const { decoder } = chooseDecoder(model, override);
  decoder.decode(outputs, geometry, (...box) => boxes.push(box.map((v) => Math.round(v * 100) / 100)));
  return boxes;
}
/** Free dimensions as they came out. */
const ran = (dims: readonly number[], length: number): number[] => {
  const known = dims.filter((dim) => dim > 0).reduce((a, b) => a * b, 1);
  return dims.map((dim) => (dim > 0 ? dim : length / known));
};
/** A tensor of zeros with rows of values from the given places on. */
export const filled = (
  length: number,
  puts: readonly (readonly [at: number, values: readonly number[]])[],
  zero = 0,
) => {
  const data = new Array<number>(length).fill(zero);
  for (const [at, values] of puts) values.forEach((value, i) => (data[at + i] = value));
  return data;
};
export const ln = Math.log;
/** 64 by 64 has 64 + 16 + 4 cells; with stride 64 one more. */
const CELLS = 84;

interface Case {
  readonly format: string;
  readonly model: ModelView;
  readonly data: readonly (readonly number[])[];
  readonly geometry: ImageGeometry;
  readonly expected: number[][];
  readonly override?: DecoderOverride;
}
export const P = -20; // a logit of almost nothing

export const CASES: readonly Case[] = [
  {
    format: 'yolov5',
    model: view([['output', [1, 3 * CELLS, 8]]]),
    data: [filled(3 * CELLS * 8, [[8, [32, 28, 20, 16, 0.8, 0, 0.5, 0]]])],
    geometry: LETTERBOX,
    expected: [[1, 44, 24, 40, 32, 0.4]],
  },
  {
    // As the exports that keep raw heads beside the decoded output.
    format: 'yolov5',
    model: view([
      ['output', [1, 3 * CELLS, 8]],
      ...[8, 4, 2].map((side): Output => [`head${side}`, [1, 3, side, side, 8]]),
    ]),
    data: [filled(3 * CELLS * 8, [[8, [32, 28, 20, 16, 0.8, 0, 0.5, 0]]]), [], [], []],
    geometry: LETTERBOX,
    expected: [[1, 44, 24, 40, 32, 0.4]],
  },
  {
    format: 'yolov8',
    model: view([['output0', [1, CELLS, 7]]], { metadata: names(3) }),
    data: [filled(CELLS * 7, [[7, [32, 28, 20, 16, 0, 0, 0.5]]])],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'yolox-decoded',
    model: view([['output', [1, CELLS, 8]]], { operators: new Set(['Conv', 'Exp']) }),
    data: [filled(CELLS * 8, [[8, [32, 28, 20, 16, 0.8, 0, 0.5, 0.4]]])],
    geometry: { ...LETTERBOX, padY: 0 },
    expected: [[1, 44, 40, 40, 32, 0.4]],
  },
  {
    format: 'yolo-nas',
    model: view([
      ['904', [1, CELLS, 4]],
      ['913', [1, CELLS, 3]],
    ]),
    data: [filled(CELLS * 4, [[4, [22, 20, 42, 36]]]), filled(CELLS * 3, [[3, [0.5, 0, 0.25]]])],
    geometry: LETTERBOX,
    expected: [
      [0, 44, 24, 40, 32, 0.5],
      [2, 44, 24, 40, 32, 0.25],
    ],
  },
  {
    format: 'paddle-raw',
    model: view([
      ['boxes', [1, CELLS, 4]],
      ['scores', [1, 3, CELLS]],
    ]),
    data: [filled(CELLS * 4, [[4, [16, 16, 48, 48]]]), filled(3 * CELLS, [[2 * CELLS + 1, [0.5]]])],
    geometry: STRETCH,
    expected: [[2, 32, 24, 64, 48, 0.5]],
  },
  {
    format: 'yolo-nas-batch',
    model: view([
      ['num_predictions', [1, 1], 'int64'],
      ['pred_boxes', [1, 2, 4]],
      ['pred_scores', [1, 2]],
      ['pred_classes', [1, 2], 'int64'],
    ]),
    data: [[1], [22, 20, 42, 36, 1, 1, 2, 2], [0.5, 0.4], [2, 0]],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'yolo-nas-flat',
    model: view([['graph2_flat_predictions', [-1, 7]]]),
    data: [[0, 22, 20, 42, 36, 0.5, 2]],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'yolov7-end2end',
    model: view([['output', [-1, 7]]]),
    data: [[0, 22, 20, 42, 36, 2, 0.5]],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
  {
    // Told the scale, the model answers in pixels of the original.
    format: 'paddle',
    model: view(
      [
        ['multiclass_nms3_0.tmp_0', [-1, 6]],
        ['multiclass_nms3_0.tmp_2', [-1], 'int32'],
      ],
      { inputs: [scaleFactor, images] },
    ),
    data: [[2, 0.5, 32, 24, 96, 72, -1, 0, 0, 0, 0, 0], [2]],
    geometry: STRETCH,
    expected: [[2, 32, 24, 64, 48, 0.5]],
  },
  {
    format: 'picodet-heads',
    model: view([
      ...[64, 16, 4, 1].map((cells): Output => [`score${cells}`, [1, cells, 3]]),
      ...[64, 16, 4, 1].map((cells): Output => [`box${cells}`, [1, cells, 32]]),
    ]),
    data: [
      ...[filled(64 * 3, [[(8 * 3 + 4) * 3, [0, 0.5, 0]]]), filled(48, []), filled(12, []), filled(3, [])],
      // Cell (4, 3) has its centre at (36, 28); one stride to each side.
      filled(
        64 * 32,
        [0, 1, 2, 3].map((side) => [(8 * 3 + 4) * 32 + 8 * side + 1, [50]] as const),
      ),
      ...[filled(16 * 32, []), filled(4 * 32, []), filled(32, [])],
    ],
    geometry: STRETCH,
    expected: [[1, 56, 30, 32, 24, 0.5]],
  },
  ...[false, true].map((logits): Case => ({
    format: 'nanodet',
    model: view([['output', [1, CELLS + 1, 35]]], { categories: 3 }),
    data: [
      filled((CELLS + 1) * 35, [
        ...Array.from({ length: CELLS + 1 }, (_, i) => [i * 35, logits ? [P, P, P] : [0, 0, 0]] as const),
        [(8 * 3 + 4) * 35, logits ? [P, 0, P] : [0, 0.5, 0]] as const,
        // Bins 1 and 2 alike: one and a half strides from (32, 24).
        ...[0, 1, 2, 3].map((side) => [(8 * 3 + 4) * 35 + 3 + 8 * side + 1, [50, 50]] as const),
      ]),
    ],
    geometry: STRETCH,
    expected: [[1, 40, 18, 48, 36, 0.5]],
  })),
  {
    format: 'rtdetr',
    model: view(
      [
        ['logits', [1, 2, 3]],
        ['pred_boxes', [1, 2, 4]],
      ],
      { metadata: names(3) },
    ),
    data: [
      [P, 0, P, P, P, ln(3)],
      [0.5, 0.5, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5],
    ],
    geometry: STRETCH,
    expected: [
      [2, 0, 0, 64, 48, 0.75],
      [1, 48, 24, 32, 48, 0.5],
    ],
  },
  {
    format: 'rtdetr-ultralytics',
    model: view([['output0', [1, 2, 7]]], { metadata: names(3) }),
    data: [[0.5, 0.5, 0.25, 0.5, 0, 0.5, 0.25, 0, 0, 0, 0, 0, 0, 0]],
    geometry: STRETCH,
    expected: [[1, 48, 24, 32, 48, 0.5]],
  },
  {
    format: 'rtdetr-deploy',
    model: view(
      [
        ['labels', [1, 2], 'int64'],
        ['boxes', [1, 2, 4]],
        ['scores', [1, 2]],
      ],
      { inputs: [images, targetSizes] },
    ),
    data: [
      [1, 2],
      [48, 24, 80, 72, 0, 0, 64, 48],
      [0.5, 0.75],
    ],
    geometry: STRETCH,
    expected: [
      [2, 0, 0, 64, 48, 0.75],
      [1, 48, 24, 32, 48, 0.5],
    ],
  },
  {
    format: 'rf-detr',
    model: view([
      ['dets', [1, 1, 4]],
      ['labels', [1, 1, 91]],
    ]),
    data: [[0.5, 0.5, 0.25, 0.5], filled(91, [[90, [0]]], P)],
    geometry: STRETCH,
    expected: [[90, 48, 24, 32, 48, 0.5]],
    override: { confidence: 0.01 },
  },
  {
    // The second query is sure that it sees nothing: its best class stays at 0.1.
    format: 'detr',
    model: view([
      ['pred_logits', [1, 2, 92]],
      ['pred_boxes', [1, 2, 4]],
    ]),
    data: [
      filled(
        184,
        [
          [17, [ln(3)]],
          [91, [0]],
          [92 + 5, [0]],
          [183, [ln(9)]],
        ],
        -40,
      ),
      [0.5, 0.5, 0.25, 0.5, 0.25, 0.25, 0.5, 0.5],
    ],
    geometry: STRETCH,
    expected: [
      [17, 48, 24, 32, 48, 0.75],
      [5, 0, 0, 64, 48, 0.1],
    ],
  },
  {
    format: 'efficient-nms',
    model: view([
      ['num_dets', [1, 1], 'int32'],
      ['det_boxes', [1, 100, 4]],
      ['det_scores', [1, 100]],
      ['det_classes', [1, 100], 'int32'],
    ]),
    data: [
      [1],
      filled(400, [[0, [22, 20, 42, 36]]], 9),
      filled(100, [[0, [0.5]]], 0.9),
      filled(100, [[0, [2]]]),
    ],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'nms-indices',
    model: view([
      ['boxes', [1, 3, 4]],
      ['scores', [1, 2, 3]],
      ['selected', [-1, 3], 'int64'],
    ]),
    data: [
      [0, 0, 1, 1, 22, 20, 42, 36, 0, 0, 1, 1],
      [0, 0, 0, 0, 0.5, 0],
      [0, 1, 1],
    ],
    geometry: LETTERBOX,
    expected: [[1, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'torchvision',
    model: view([
      ['3438', [-1, 4]],
      ['3440', [-1], 'int64'],
      ['3439', [-1]],
    ]),
    data: [[22, 20, 42, 36], [17], [0.5]],
    geometry: LETTERBOX,
    expected: [[17, 44, 24, 40, 32, 0.5]],
  },
  {
    format: 'tf-od',
    model: view([
      ['detection_boxes', [1, 2, 4]],
      ['detection_classes', [1, 2]],
      ['detection_scores', [1, 2]],
      ['num_detections', [1]],
    ]),
    data: [[0.25, 0.375, 0.75, 0.625, 0, 0, 1, 1], [1, 1], [0.5, 0.4], [1]],
    geometry: STRETCH,
    expected: [[1, 48, 24, 32, 48, 0.5]],
  },
  {
    format: 'mmdeploy',
    model: view([
      ['dets', [1, 2, 5]],
      ['labels', [1, 2], 'int64'],
    ]),
    data: [
      [22, 20, 42, 36, 0.5, 0, 0, 0, 0, 0],
      [2, 0],
    ],
    geometry: LETTERBOX,
    expected: [[2, 44, 24, 40, 32, 0.5]],
  },
];
