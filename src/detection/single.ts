import type { TensorSpec } from '../engine/index.js';
import { stridesOf } from './grid.js';
import { byUltralytics, hasInput, isDeformable, isFloat, positive, type Add, type Sight } from './sight.js';
import type { DecoderFormat, Match } from './types.js';

type Put = (
  format: DecoderFormat,
  classCount: number | undefined,
  why: string,
  more?: Pick<Match, 'family'>,
) => void;

/** Columns beside the classes. */
const EXTRA = {
  yolov5: 5,
  yolov8: 4,
  yolov10: 6,
  yolox: 5,
  'yolox-decoded': 5,
  'paddle-rows': 4,
  nanodet: 32,
  'rtdetr-ultralytics': 4,
} as const satisfies Partial<Record<DecoderFormat, number>>;
/** Four sides of 8 or 11 bins: NanoDet's reg_max is 7, or 10 in its RepVGG, EfficientNet-Lite and g variants. */
const DISTANCES = [32, 44] as const;

/** One output of rank 3. */
export function single(sight: Sight, add: Add): void {
  const output = onlyOutput(sight);
  if (output === undefined) return;
  const put: Put = (format, classCount, why, more = {}) =>
    add(format, {
      outputs: { predictions: output.name },
      classCount: positive(classCount),
      why: `${output === sight.outputs[0] ? '' : `output ${output.name}, `}${why}`,
      ...more,
    });
  if (sight.declared !== undefined) return declaredLayout(sight, sight.declared, output, put);
  const [, rows = -1, columns = -1] = output.dims;
  if (fromMetadata(sight, rows, columns, put)) return;
  if (rows < 0 || columns < 0) return freeCells(sight, rows, columns, put);
  if (gridded(sight, output, put)) return;
  few(sight, rows, columns, put);
}

/** The output to read; several of one shape are those of YOLOv9's branches, the last of which is the main one. */
function onlyOutput({ outputs, named }: Sight): TensorSpec | undefined {
  const floats = outputs.filter((output) => isFloat(output) && output.dims.length === 3);
  const chosen = floats.find(({ name }) => name === named.predictions);
  if (chosen !== undefined) return chosen;
  const [first] = floats;
  const alike = floats.every(({ dims }) => String(dims) === String(first?.dims));
  // Beside the decoded output, some exports of YOLOv5 and v7 keep their raw heads.
  if (!alike || floats.length > 2 || outputs.some((o) => !floats.includes(o) && o.dims.length < 5))
    return undefined;
  return floats.at(-1);
}

function declaredLayout(
  { height, width, classes }: Sight,
  declared: DecoderFormat,
  { dims: [, rows = -1, columns = -1] }: TensorSpec,
  put: Put,
): void {
  if (!(declared in EXTRA)) return;
  const why = 'the layout that was declared';
  if (declared === 'yolov10') {
    if (columns < 0 || columns === 6) put(declared, classes?.count, why);
    return;
  }
  const extra = EXTRA[declared as keyof typeof EXTRA];
  const across = declared === 'yolov8' && stridesOf(rows, height, width) === undefined ? rows : columns;
  if (across > 0 && across <= extra) return;
  if (declared === 'yolox' && rows > 0 && stridesOf(rows, height, width) === undefined) return;
  if (declared === 'nanodet') {
    const known = DISTANCES.find((bins) => across === (classes?.count ?? -1) + bins) ?? extra;
    return put(declared, across - known, why);
  }
  put(declared, across > 0 ? across - extra : classes?.count, why);
}

/** Ultralytics' metadata says that NMS is inside, or not needed. */
function fromMetadata({ view, classes }: Sight, rows: number, columns: number, put: Put): boolean {
  if (columns !== 6 && columns >= 0) return false;
  const nms = /['"]nms['"]\s*:\s*[Tt]rue/.test(view.metadata.get('args') ?? '');
  const free = view.metadata.get('end2end') === 'True';
  if (!nms && !free) return false;
  put('yolov10', classes?.count, `rows of six numbers, and the metadata says ${nms ? 'nms' : 'end2end'}`);
  return true;
}

/** Exports with free axes: the number of boxes is not known before a run, the other dimension must tell. */
function freeCells(sight: Sight, rows: number, columns: number, put: Put): void {
  const { view } = sight;
  const count = likelyCount(sight, Math.max(rows, columns));
  const of = sight.classes === undefined ? '' : `, ${sight.classes.count} classes by ${sight.classes.from}`;
  if (byUltralytics(view)) return ultralyticsFree(sight, rows, columns, put);
  if (rows > 0) {
    if (count !== undefined && rows === 4 + count)
      put('yolov8', count, `${rows} numbers for each of a free number of boxes${of}`);
    return;
  }
  if (columns < 0) return;
  if (columns === 6) put('yolov10', sight.classes?.count, 'a free number of rows of six');
  if (columns === 6 && count !== 1) return;
  if (count !== undefined && columns === 4 + count)
    return put('yolov8', count, `transposed, ${columns} numbers for each of a free number of boxes${of}`);
  if (count === undefined || columns !== 5 + count) return;
  put('yolov5', count, `${columns} numbers for each of a free number of boxes${of}`);
  if (view.operators?.has('Exp') === true)
    put('yolox-decoded', count, 'sizes raised by the model itself (Exp)');
}

/** With free axes, Ultralytics' exports often tell no dimension at all: the metadata and operators must. */
function ultralyticsFree({ view, classes }: Sight, rows: number, columns: number, put: Put): void {
  const { metadata, operators } = view;
  const count = classes?.count;
  const fits = (dim: number, extra: number): boolean =>
    dim < 0 || count === undefined || dim === extra + count;
  const of = `free axes${count === undefined ? '' : `, ${count} classes`}`;
  if (isDeformable(view)) {
    if (fits(columns, 4) || columns === 6) put('rtdetr-ultralytics', count, `${of}, deformable attention`);
    return;
  }
  if (operators?.has('TopK') === true && (columns < 0 || columns === 6))
    return put('yolov10', count, `${of}, the best boxes are chosen inside (TopK)`);
  // YOLOv5's exporter writes no task, and its boxes need no Softmax.
  const later = metadata.has('task') || operators?.has('Softmax') === true;
  if (later ? fits(rows, 4) && columns < 0 : rows > 0 && rows - 4 === count)
    return put(
      'yolov8',
      count,
      `${of}, ${later ? 'an exporter later than YOLOv5’s' : `${rows} numbers for each box`}`,
    );
  if (columns > 0 && columns - 4 === count) return put('yolov8', count, `${of}, transposed`);
  if (rows < 0 && fits(columns, 5))
    put('yolov5', count, `${of}, ${later ? `${columns} columns` : 'YOLOv5’s exporter'}`);
}

/** Number of classes: known, or COCO's 80 where the columns fit them, or that of the annotations. */
function likelyCount({ classes, view }: Sight, across: number): number | undefined {
  const coco = [84, 85, ...DISTANCES.map((bins) => 80 + bins)].includes(across) ? 80 : undefined;
  return classes?.count ?? coco ?? view.categories;
}

/** As many rows or columns as the grids of a detector have cells. True when nothing else is to be looked for. */
function gridded(sight: Sight, output: TensorSpec, put: Put): boolean {
  const { classes, height, width, view } = sight;
  const [, rows = -1, columns = -1] = output.dims;
  const count = classes?.count;
  const of = classes === undefined ? '' : `, ${classes.count} classes by ${classes.from}`;
  const across = stridesOf(columns, height, width) !== undefined;
  if (rows > 4 && across && (count === undefined || rows === 4 + count))
    put('yolov8', rows - 4, `${rows} numbers for each of ${columns} cells, 4 for the box${of}`);
  const anchored = rows % 3 === 0 && stridesOf(rows / 3, height, width) !== undefined;
  if (anchored && columns > 5 && (count === undefined || columns === 5 + count)) {
    put('yolov5', columns - 5, `${columns} numbers for each of 3 anchors on ${rows / 3} cells${of}`);
    return true;
  }
  if (stridesOf(rows, height, width) !== undefined && columns > 4) {
    const paddle = view.inputs.some(({ name }) => name === 'image') || hasInput(view, 'scale_factor');
    const likely = likelyCount(sight, columns);
    if (paddle && !byUltralytics(view) && (likely === undefined || columns === 4 + likely))
      put('paddle-rows', columns - 4, `transposed, ${rows} cells, and an input called image${of}`);
    else cells(sight, output, put);
    return true;
  }
  return across;
}

/** Few rows: queries, or detections. */
function few({ view, classes }: Sight, rows: number, columns: number, put: Put): void {
  const count = classes?.count;
  const of = classes === undefined ? '' : `, ${classes.count} classes by ${classes.from}`;
  const byQuery = columns > 4 && (count === undefined ? columns === 84 : columns === 4 + count);
  const deformable = view.operators === undefined ? undefined : isDeformable(view);
  const detections = columns === 6;
  if (detections && !byQuery && byUltralytics(view) && isDeformable(view))
    return put('rtdetr-ultralytics', count, 'rows of six numbers after deformable attention');
  if (detections && !(byQuery && deformable === true)) put('yolov10', count, 'rows of six numbers');
  if (byQuery && !(detections && deformable === false))
    put('rtdetr-ultralytics', columns - 4, `${columns} numbers for each of ${rows} queries${of}`);
}

/** `[b, cells, columns]`: which family has so many columns. */
function cells(sight: Sight, { dims }: TensorSpec, put: Put): void {
  const { view, classes, height, width } = sight;
  const [, rows = -1, columns = -1] = dims;
  const likely = likelyCount(sight, columns);
  const of = `, ${columns} numbers for each of ${rows} cells`;
  const fits = (extra: number): boolean => likely !== undefined && columns === likely + extra;
  const fourStrides = stridesOf(rows, height, width)?.length === 4;
  if (fits(4) || columns === 5) return put('yolov8', columns - 4, `transposed${of}`);
  const distances = DISTANCES.find(fits);
  if (distances !== undefined)
    return put('nanodet', columns - distances, `${distances} for distances${of}`, {
      // NanoDet-Plus has four strides and stretches; NanoDet before it has three and keeps the ratio.
      ...(!fourStrides && { family: 'nanodet-first' }),
    });
  if (classes !== undefined && !fits(5)) return;
  const { operators } = view;
  if (byUltralytics(view)) {
    put('yolox', columns - 5, `one anchor a cell${of}`);
    put('yolov5', columns - 5, `metadata of Ultralytics${of}`);
  } else if (operators?.has('Exp') === true)
    put('yolox-decoded', columns - 5, `one anchor a cell, sizes raised by the model itself (Exp)${of}`);
  else if (operators?.has('Sub') === true)
    put('yolov5', columns - 5, `corners made by the model itself (Sub), as YOLOv6${of}`);
  else put('yolox', columns - 5, `one anchor a cell, and no metadata of Ultralytics${of}`);
  if (fits(5)) return;
  // YOLOX has no Softmax; heads with distributions of distances do.
  if (operators?.has('Softmax') !== false && operators?.has('Exp') !== true)
    put('yolov8', columns - 4, `transposed, if it has ${columns - 4} classes${of}`);
  if (fourStrides && columns > 32)
    put('nanodet', columns - 32, `four strides, perhaps 32 for distances${of}`);
}
