import type { TensorSpec } from '../engine/index.js';
import { cellCount, stridesOf } from './grid.js';
import type { DecoderFormat, Match, ModelView, OutputRole } from './types.js';
import { classNamesOf, inputSize } from './view.js';

/** Formats with the layout that each expects, as messages show them. */
export const LAYOUTS: Readonly<Record<DecoderFormat, string>> = {
  yolov5: '[batch, n, 5 + classes]: cx cy w h objectness, class probabilities (also YOLOv6, v7)',
  'yolov5-heads': 'raw heads of three anchors each, with `anchors`',
  yolov8: '[batch, 4 + classes, n] or transposed: cx cy w h, class probabilities (also YOLOv9, 11, 12)',
  yolov10: '[batch, n, 6]: x1 y1 x2 y2 score class, no NMS needed (also YOLO26, and exports with NMS)',
  yolox: '[batch, n, 5 + classes]: offsets on the grid of strides 8, 16, 32',
  'yolox-decoded': '[batch, n, 5 + classes]: cx cy w h in pixels',
  'yolo-nas': 'boxes [batch, n, 4] x1 y1 x2 y2 and scores [batch, n, classes]',
  'yolo-nas-batch': 'count, boxes [batch, n, 4], scores and classes [batch, n]',
  'yolo-nas-flat': '[n, 7]: image x1 y1 x2 y2 score class',
  'yolov7-end2end': '[n, 7]: image x1 y1 x2 y2 class score',
  paddle: '[n, 6]: class score x1 y1 x2 y2, and a count (PP-YOLOE, PicoDet with NMS)',
  'paddle-raw': 'boxes [batch, n, 4] x1 y1 x2 y2 and scores [batch, classes, n]',
  'picodet-heads': 'by level, scores [batch, cells, classes] and distances [batch, cells, 32]',
  nanodet: '[batch, n, classes + 32]: class scores and distributions of distances',
  rtdetr: 'logits [batch, queries, classes] and boxes cx cy w h, 0…1 (also D-FINE)',
  'rtdetr-ultralytics': '[batch, 300, 4 + classes]: cx cy w h, 0…1, class probabilities',
  'rtdetr-deploy': 'labels, boxes, scores; input orig_target_sizes (RT-DETR, D-FINE)',
  'rf-detr': 'dets [batch, queries, 4] cx cy w h, 0…1, and labels [batch, queries, classes + 1] as logits',
  detr: 'logits [batch, queries, classes + 1] with a last class of no object, and boxes cx cy w h, 0…1',
  'efficient-nms': 'num_dets, det_boxes x1 y1 x2 y2, det_scores, det_classes',
  'nms-indices': 'boxes [1, n, 4], scores [1, classes, n] and selected indices [k, 3]',
  torchvision: 'boxes [n, 4] x1 y1 x2 y2, labels [n] with 0 as background, scores [n]',
  'tf-od':
    'detection_boxes ymin xmin ymax xmax, 0…1, detection_classes from 1, detection_scores, num_detections',
  mmdeploy: 'dets [batch, n, 5]: x1 y1 x2 y2 score, and labels [batch, n]',
};

/** What a signature looks at. */
interface Sight {
  readonly view: ModelView;
  readonly outputs: readonly TensorSpec[];
  readonly named: Readonly<Partial<Record<OutputRole, string>>>;
  /** Number of classes by the settings, the metadata or, last, the annotations; with where it is from. */
  readonly classes: { readonly count: number; readonly from: string } | undefined;
  /** The settings declare this format: free dimensions then fit any. */
  readonly declared: DecoderFormat | undefined;
  readonly height: number;
  readonly width: number;
}

type Found = Omit<Match, 'format' | 'why'> & { readonly why: string };
type Add = (format: DecoderFormat, found: Found) => void;

/** An output as messages show it. */
export function shown({ name, type, dims }: TensorSpec): string {
  return `${name}: ${type}[${dims.map((dim) => (dim < 0 ? '?' : dim)).join(', ')}]`;
}

/**
 * Every format whose layout the outputs have, with the evidence.
 * @param named - outputs that the settings give by role
 */
export function matchesOf(
  view: ModelView,
  named: Sight['named'],
  declaredClasses: number | undefined,
  declared: DecoderFormat | undefined,
): readonly Match[] {
  const known = classNamesOf(view)?.length;
  const classes =
    declaredClasses !== undefined
      ? { count: declaredClasses, from: 'the settings' }
      : known !== undefined
        ? { count: known, from: 'the metadata' }
        : undefined;
  const chosen = Object.values(named);
  const outputs =
    chosen.length === 0 ? view.outputs : view.outputs.filter(({ name }) => chosen.includes(name));
  const found: Match[] = [];
  const sight = { view, outputs, named, classes, declared, ...inputSize(view) };
  const add: Add = (format, match) => {
    if (declared === undefined || declared === format)
      found.push({ ...match, format, why: `${outputs.map(shown).join('; ')}: ${match.why}` });
  };
  for (const look of [suppressed, paired, heads, single]) {
    look(sight, add);
    if (found.length > 0) break; // names of baked outputs say more than shapes do
  }
  return found;
}

const isFloat = ({ type }: TensorSpec): boolean => type.startsWith('float');

/** NMS or top-k inside the model: told by the outputs' names, types and further inputs. */
function suppressed({ view, outputs, named, declared }: Sight, add: Add): void {
  const role = (name: OutputRole, pattern: RegExp): string | undefined =>
    named[name] ?? outputs.find((output) => pattern.test(output.name))?.name;
  const input = (name: string): boolean => view.inputs.some((one) => one.name === name);
  const [boxes, scores, classes, count] = [
    role('boxes', /boxes|bboxes/i),
    role('scores', /scores/i),
    role('classes', /classes|labels/i),
    role('count', /^num_?(dets|detections|predictions)|:num_detections|^num/i),
  ];
  const baked = { boxes, scores, classes, ...(count !== undefined && { count }) } as Match['outputs'];
  const last = (name: string | undefined): number | undefined =>
    outputs.find((output) => output.name === name)?.dims.at(-1);
  const whole = boxes !== undefined && scores !== undefined && classes !== undefined;
  if (whole && outputs.length >= 3) {
    const tf = /^detection_boxes/.test(boxes);
    const yoloNas = /^pred_boxes/.test(boxes);
    const why = `outputs ${[boxes, scores, classes].join(', ')}${count === undefined ? '' : `, ${count}`}`;
    const match = { outputs: baked, classCount: undefined };
    if (declared !== undefined) add(declared, { ...match, why });
    else if (input('orig_target_sizes'))
      add('rtdetr-deploy', { ...match, why: `${why}, and an input orig_target_sizes` });
    else if (tf) add('tf-od', { ...match, why });
    else if (yoloNas) add('yolo-nas-batch', { ...match, why });
    else if (count !== undefined) add('efficient-nms', { ...match, why });
    else if (outputs.find(({ name }) => name === boxes)?.dims.length === 2)
      add('torchvision', { ...match, why: `${why}, without a batch` });
    return;
  }
  const integers = outputs.filter((output) => !isFloat(output));
  const floats = outputs.filter(isFloat);
  const [first, second] = floats;
  const whole3 = integers.find(({ dims }) => dims.length >= 2 && dims.at(-1) === 3);
  if (floats.length === 2 && integers.length === 1 && first && second) {
    const box = floats.find(({ dims }) => dims.at(-1) === 4);
    const other = floats.find((output) => output !== box);
    if (box && other && whole3)
      add('nms-indices', {
        outputs: { boxes: box.name, scores: other.name, indices: whole3.name },
        classCount: positive(other.dims.at(-2)),
        why: `${whole3.name} selects image, class and box`,
      });
    else if (box?.dims.length === 2 && other?.dims.length === 1)
      add('torchvision', {
        outputs: { boxes: box.name, scores: other.name, classes: (integers[0] as TensorSpec).name },
        classCount: undefined,
        why: 'boxes, integer labels and scores, without a batch',
      });
  }
  if (outputs.length === 2 && first && floats.length === 1 && first.dims.at(-1) === 5)
    add('mmdeploy', {
      outputs: { boxes: first.name, classes: (integers[0] as TensorSpec).name },
      classCount: undefined,
      why: 'rows of five numbers, and integer labels',
    });
  if (first && floats.length === 1 && first.dims.length === 2 && first.dims[1] === 7) {
    const rows = { outputs: { predictions: first.name }, classCount: undefined };
    const flat = /flat/i.test(first.name);
    if (declared !== undefined || flat || first.name !== 'output')
      add('yolo-nas-flat', { ...rows, why: `rows of seven numbers${flat ? ', by its name flat' : ''}` });
    if (declared !== undefined || !flat) add('yolov7-end2end', { ...rows, why: 'rows of seven numbers' });
  }
  const paddled = input('scale_factor') || input('im_shape');
  const numbers =
    floats.find(({ dims }) => dims.length === 2 && dims[1] === 6) ?? (paddled ? first : undefined);
  if (numbers && last(numbers.name) === 6 && (paddled || integers.length === 1 || declared === 'paddle'))
    add('paddle', {
      outputs: {
        predictions: numbers.name,
        ...(integers.length === 1 && { count: (integers[0] as TensorSpec).name }),
      },
      classCount: undefined,
      why: `rows of six numbers${paddled ? ', and an input that Paddle’s exports have' : ' and an integer count'}`,
    });
}

function positive(dim: number | undefined): number | undefined {
  return dim !== undefined && dim > 0 ? dim : undefined;
}

/** Two outputs, boxes and scores. */
function paired(sight: Sight, add: Add): void {
  const { outputs, named, view, classes, declared, height, width } = sight;
  const floats = outputs.filter((output) => isFloat(output) && output.dims.length === 3);
  if (floats.length !== 2 || outputs.length !== 2) return;
  const boxes =
    floats.find(({ name }) => name === named.boxes) ??
    floats.find(({ name }) => /box|dets/i.test(name)) ??
    floats.find(({ dims }) => dims[2] === 4);
  const scores = floats.find((output) => output !== boxes);
  if (boxes?.dims[2] !== 4 || scores === undefined) return;
  const [, rows = -1, columns = -1] = scores.dims;
  const n = boxes.dims[1] ?? -1;
  const pair = { boxes: boxes.name, scores: scores.name };
  const dense = stridesOf(n, height, width) !== undefined;
  const byClass = columns === n && rows !== n;
  const evidence = dense ? `${n} cells` : `${n < 0 ? 'a free number of' : n} queries`;
  const match = (classCount: number, more: string): Found => ({
    outputs: pair,
    classCount: positive(classCount),
    why: `${evidence}, ${more}`,
  });
  if (byClass || declared === 'paddle-raw')
    return add('paddle-raw', match(rows, 'scores by class, then box'));
  if (dense || declared === 'yolo-nas') return add('yolo-nas', match(columns, 'scores by box, then class'));
  const none = columns > 0 ? columns - 1 : columns;
  const logits = match(columns, `${columns} logits each`);
  if (declared !== undefined) return add(declared, declared === 'detr' ? match(none, 'declared') : logits);
  if (/^dets$/.test(boxes.name)) return add('rf-detr', match(columns, 'outputs dets and labels'));
  const noObject = classes === undefined ? columns === 92 : columns === classes.count + 1;
  const sure = classes === undefined ? columns === 80 : columns === classes.count;
  if (noObject) add('detr', match(none, `${none} classes and one of no object`));
  else if (sure || view.operators?.has('GridSample') === true) add('rtdetr', logits);
  else {
    add('rtdetr', logits);
    add('detr', match(none, 'the last class may mean no object'));
  }
}

/** Heads by level, without anything decoded. */
function heads({ outputs, classes, height, width, declared }: Sight, add: Add): void {
  const floats = outputs.filter(isFloat);
  const whole = floats.some(({ dims }) => dims.length === 3);
  const raw = floats
    .filter(({ dims }) => dims.length === 5 || dims.length === 4)
    .sort(
      (a, b) =>
        (b.dims.at(a.dims.length === 5 ? -2 : -1) ?? 0) - (a.dims.at(a.dims.length === 5 ? -2 : -1) ?? 0),
    );
  if (raw.length >= 3 && (!whole || declared === 'yolov5-heads')) {
    const first = raw[0] as TensorSpec;
    const numbers = first.dims.length === 5 ? (first.dims[4] ?? -1) : (first.dims[1] ?? -1) / 3;
    if (numbers > 5)
      add('yolov5-heads', {
        outputs: {},
        heads: raw.map(({ name }) => [name]),
        classCount: numbers - 5,
        why: `${raw.length} raw heads, ${numbers} numbers for each of 3 anchors`,
      });
  }
  const levels = [8, 16, 32, 64].map((stride) => cellCount([stride], height, width));
  const at = (cells: number, box: boolean): TensorSpec | undefined =>
    floats.find(({ dims }) => dims.length === 3 && dims[1] === cells && (dims[2] === 32) === box);
  const pairs = levels.map((cells) => [at(cells, false)?.name, at(cells, true)?.name]);
  if (outputs.length === 8 && pairs.every((pair) => !pair.includes(undefined)))
    add('picodet-heads', {
      outputs: {},
      heads: pairs as string[][],
      classCount: positive(at(levels[0] as number, false)?.dims[2]) ?? classes?.count,
      why: 'four levels of scores and of 32 distances',
    });
}

/** One output of rank 3. */
function single(sight: Sight, add: Add): void {
  const { outputs, named, view, classes, declared, height, width } = sight;
  const floats = outputs.filter((output) => isFloat(output) && output.dims.length === 3);
  const output = floats.find(({ name }) => name === named.predictions) ?? floats[0];
  // Beside the decoded output, some exports of YOLOv5 and v7 keep their raw heads.
  if (output === undefined || floats.length !== 1 || outputs.some((o) => o !== output && o.dims.length < 5))
    return;
  const [, rows = -1, columns = -1] = output.dims;
  const put = (format: DecoderFormat, classCount: number | undefined, why: string): void =>
    add(format, { outputs: { predictions: output.name }, classCount: positive(classCount), why });
  const endToEnd = view.metadata.get('end2end');
  const count = classes?.count;
  const of = classes === undefined ? '' : `, ${classes.count} classes by ${classes.from}`;
  if (declared !== undefined) {
    const fixed: Partial<Record<DecoderFormat, number>> = { yolov10: 6 };
    if (fixed[declared] !== undefined && columns > 0 && columns !== fixed[declared]) return;
    const across = declared === 'yolov8' && !(stridesOf(rows, height, width) !== undefined) ? rows : columns;
    const extra = { yolov8: 4, 'rtdetr-ultralytics': 4, nanodet: 32, yolov10: 6 }[declared as string] ?? 5;
    const singles: readonly DecoderFormat[] = [
      'yolov5',
      'yolov8',
      'yolov10',
      'yolox',
      'yolox-decoded',
      'nanodet',
      'rtdetr-ultralytics',
    ];
    if (!singles.includes(declared) || (across > 0 && across <= extra && declared !== 'yolov10')) return;
    if (declared === 'yolox' && rows > 0 && stridesOf(rows, height, width) === undefined) return;
    return put(declared, declared === 'yolov10' ? count : across - extra, 'the layout that was declared');
  }
  const anchored = rows > 0 && rows % 3 === 0 && stridesOf(rows / 3, height, width) !== undefined;
  const dense = stridesOf(rows, height, width) !== undefined;
  if (
    rows > 4 &&
    stridesOf(columns, height, width) !== undefined &&
    (count === undefined || rows === 4 + count)
  )
    put('yolov8', rows - 4, `${rows} numbers for each of ${columns} cells, 4 for the box${of}`);
  if (anchored && columns > 5 && (count === undefined || columns === 5 + count))
    return put('yolov5', columns - 5, `${columns} numbers for each of 3 anchors on ${rows / 3} cells${of}`);
  if (dense && columns > 4) return cells(sight, output, put);
  if (rows >= 0 && stridesOf(columns, height, width) !== undefined) return;
  // Few rows: queries, or detections.
  const byQuery = columns > 4 && (count === undefined ? columns === 84 : columns === 4 + count);
  const detections = columns === 6 && endToEnd !== 'False';
  const deformable = view.operators?.has('GridSample');
  if (detections && !(byQuery && endToEnd !== 'True' && deformable === true))
    put(
      'yolov10',
      count,
      `rows of six numbers${endToEnd === 'True' ? ', and the metadata says end2end' : ''}`,
    );
  if (byQuery && endToEnd !== 'True' && !(detections && deformable === false))
    put('rtdetr-ultralytics', columns - 4, `${columns} numbers for each of ${rows} queries${of}`);
}

/** `[b, cells, columns]`: which family has so many columns. */
function cells(
  { view, classes, height, width }: Sight,
  { dims }: TensorSpec,
  put: (format: DecoderFormat, classCount: number, why: string) => void,
): void {
  const [, rows = -1, columns = -1] = dims;
  // Without names, 80 classes are COCO's; then the annotations' number of categories tells.
  const likely = classes?.count ?? ([84, 85, 112].includes(columns) ? 80 : view.categories);
  const of = `, ${columns} numbers for each of ${rows} cells`;
  const fits = (extra: number): boolean => likely !== undefined && columns === likely + extra;
  if (fits(4)) return put('yolov8', columns - 4, `transposed${of}`);
  if (fits(32)) return put('nanodet', columns - 32, `32 for distances${of}`);
  if (classes !== undefined && !fits(5)) return;
  if (columns <= 5) return;
  const { operators, metadata } = view;
  if (metadata.has('stride')) {
    put('yolox', columns - 5, `one anchor a cell${of}`);
    put('yolov5', columns - 5, `metadata of Ultralytics${of}`);
  } else if (operators?.has('Exp') === true)
    put('yolox-decoded', columns - 5, `one anchor a cell, sizes raised by the model itself (Exp)${of}`);
  else if (operators?.has('Sub') === true)
    put('yolov5', columns - 5, `corners made by the model itself (Sub), as YOLOv6${of}`);
  else put('yolox', columns - 5, `one anchor a cell, and no metadata of Ultralytics${of}`);
  const nanodetStrides = stridesOf(rows, height, width)?.length === 4;
  if (!fits(5) && nanodetStrides && columns > 32)
    put('nanodet', columns - 32, `four strides, perhaps 32 for distances${of}`);
}
