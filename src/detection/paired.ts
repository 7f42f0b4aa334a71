import type { TensorSpec } from '../engine/index.js';
import { stridesOf } from './grid.js';
import { hasInput, isDeformable, isFloat, positive, type Add, type Found, type Sight } from './sight.js';
import type { DecoderFormat } from './types.js';

const PAIRS: readonly DecoderFormat[] = ['paddle-raw', 'yolo-nas', 'rtdetr', 'rf-detr', 'detr'];

/** Two outputs, boxes and scores. */
export function paired(sight: Sight, add: Add): void {
  const { view, declared, height, width } = sight;
  if (declared !== undefined && !PAIRS.includes(declared)) return;
  const [boxes, scores] = pairOf(sight) ?? [];
  if (boxes?.dims[2] !== 4 || scores === undefined) return;
  const [, rows = -1, columns = -1] = scores.dims;
  const n = boxes.dims[1] ?? -1;
  const anchored = n > 0 && n % 3 === 0 && stridesOf(n / 3, height, width) !== undefined;
  const dense = anchored || stridesOf(n, height, width) !== undefined;
  const cells = anchored ? `3 anchors on ${n / 3} cells` : `${n} cells`;
  const evidence = dense ? cells : `${n < 0 ? 'a free number of' : n} queries`;
  const match = (classCount: number, more: string): Found => ({
    outputs: { boxes: boxes.name, scores: scores.name },
    classCount: positive(classCount),
    why: `${evidence}, ${more}`,
  });
  const byClass = columns === n && rows !== n;
  if (byClass || declared === 'paddle-raw' || hasInput(view, 'scale_factor'))
    return add('paddle-raw', match(rows, 'scores by class, then box'));
  if (dense || declared === 'yolo-nas')
    return add('yolo-nas', {
      ...match(columns, 'scores by box, then class'),
      // YOLOv7's `--include-nms` leaves corners and scores of all anchors.
      ...(anchored && { family: 'yolov5' as const }),
    });
  transformer(sight, add, columns, match, /^dets$/.test(boxes.name));
}

/** Boxes and scores: the only two outputs, or those with the names that Transformers and DETR give among more. */
function pairOf({ outputs, named }: Sight): readonly [TensorSpec, TensorSpec] | undefined {
  const floats = outputs.filter((output) => isFloat(output) && output.dims.length === 3);
  const logits = floats.find(({ name }) => /^(pred_)?logits$/.test(name));
  const corners = floats.find(({ name }) => name === 'pred_boxes');
  if (logits && corners) return [corners, logits];
  if (floats.length !== 2 || outputs.length !== 2) return undefined;
  const boxes =
    floats.find(({ name }) => name === named.boxes) ??
    floats.find(({ name, dims }) => /box|dets/i.test(name) && dims[2] === 4) ??
    floats.find(({ dims }) => dims[2] === 4);
  const scores = floats.find((output) => output !== boxes);
  return boxes && scores ? [boxes, scores] : undefined;
}

/** Logits by query: under a sigmoid (RT-DETR, RF-DETR), or under a softmax with a class of no object (DETR). */
function transformer(
  { view, classes, declared }: Sight,
  add: Add,
  columns: number,
  match: (classCount: number, more: string) => Found,
  dets: boolean,
): void {
  const none = columns > 0 ? columns - 1 : columns;
  const asDetr = (more: string): void => add('detr', match(none, more));
  // 91 logits without a class of no object are the ids of COCO, as Deformable DETR and its kin number them.
  const asQueries = (more: string): void =>
    add('rtdetr', { ...match(columns, more), ...(columns === 91 && { family: 'detr' as const }) });
  if (declared !== undefined) {
    if (declared === 'detr') asDetr('declared');
    else if (declared === 'rf-detr') add('rf-detr', match(columns, 'declared'));
    else if (declared === 'rtdetr') asQueries('declared');
    return;
  }
  if (dets) return add('rf-detr', match(columns, 'outputs dets and labels'));
  if (isDeformable(view)) return asQueries(`${columns} logits each, and deformable attention`);
  const count = classes?.count;
  const fits = (extra: number, ...coco: readonly number[]): boolean =>
    count !== undefined
      ? columns === count + extra
      : coco.includes(columns) || (view.categories !== undefined && columns === view.categories + extra);
  const noObject = fits(1, 92);
  const plain = fits(0, 80, 91);
  if (noObject && !plain) return asDetr(`${none} classes and one of no object`);
  if (plain && !noObject) return asQueries(`${columns} logits each`);
  asQueries(`${columns} logits each`);
  asDetr('the last class may mean no object');
}
