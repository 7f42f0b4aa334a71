import type { TensorSpec } from '../engine/index.js';
import { hasInput, isFloat, positive, type Add, type Sight } from './sight.js';
import type { DecoderFormat, Match, OutputRole } from './types.js';

/** Formats with boxes, scores and classes in outputs of their own. */
const SEPARATE: readonly DecoderFormat[] = [
  'yolo-nas-batch',
  'rtdetr-deploy',
  'efficient-nms',
  'torchvision',
  'tf-od',
];

/** NMS or top-k inside the model: told by the outputs' names, types and further inputs. */
export function baked(sight: Sight, add: Add): void {
  if (separateOutputs(sight, add)) return;
  indices(sight, add);
  rows(sight, add);
}

/** TensorFlow keeps what came before suppression beside the result. */
const BEFORE = /raw_|multiclass|anchor_ind/i;

function separateOutputs({ outputs: all, named, view, declared }: Sight, add: Add): boolean {
  const outputs = all.filter(({ name }) => !BEFORE.test(name));
  const role = (name: OutputRole, pattern: RegExp): string | undefined =>
    named[name] ?? outputs.find((output) => pattern.test(output.name))?.name;
  const boxes = role('boxes', /boxes|bboxes/i);
  const scores = role('scores', /scores/i);
  const classes = role('classes', /classes|labels/i);
  const count = role('count', /^(graph\d+_)?num_?(dets|detections|predictions)|:num_detections|^num/i);
  if (boxes === undefined || scores === undefined || classes === undefined) return false;
  const match = {
    outputs: { boxes, scores, classes, ...(count !== undefined && { count }) } as Match['outputs'],
    classCount: undefined,
  };
  const why = `outputs ${[boxes, scores, classes].join(', ')}${count === undefined ? '' : `, ${count}`}`;
  if (declared !== undefined) {
    if (SEPARATE.includes(declared)) add(declared, { ...match, why });
  } else if (hasInput(view, 'orig_target_sizes'))
    add('rtdetr-deploy', { ...match, why: `${why}, and an input orig_target_sizes` });
  else if (/(^|\/)detection_boxes/.test(boxes)) add('tf-od', { ...match, why });
  else if (/^(graph\d+_)?pred_boxes/.test(boxes)) add('yolo-nas-batch', { ...match, why });
  else if (count !== undefined) add('efficient-nms', { ...match, why });
  else if (outputs.find(({ name }) => name === boxes)?.dims.length === 2)
    add('torchvision', { ...match, why: `${why}, without a batch` });
  return true;
}

/** Outputs without telling names: what NonMaxSuppression selected, torchvision's three, MMDeploy's two. */
function indices({ outputs }: Sight, add: Add): void {
  const integers = outputs.filter((output) => !isFloat(output));
  const floats = outputs.filter(isFloat);
  const [integer] = integers;
  const [first] = floats;
  if (integer === undefined || first === undefined || integers.length !== 1) return;
  if (floats.length === 2) {
    const box = floats.find(({ dims }) => dims.at(-1) === 4);
    const other = floats.find((output) => output !== box);
    if (box && other && integer.dims.length >= 2 && integer.dims.at(-1) === 3)
      add('nms-indices', {
        outputs: { boxes: box.name, scores: other.name, indices: integer.name },
        classCount: positive(other.dims.at(-2)),
        why: `${integer.name} selects image, class and box`,
      });
    else if (box?.dims.length === 2 && other?.dims.length === 1)
      add('torchvision', {
        outputs: { boxes: box.name, scores: other.name, classes: integer.name },
        classCount: undefined,
        why: 'boxes, integer labels and scores, without a batch',
      });
  }
  if (outputs.length === 2 && first.dims.at(-1) === 5)
    add('mmdeploy', {
      outputs: { boxes: first.name, classes: integer.name },
      classCount: undefined,
      why: 'rows of five numbers, and integer labels',
    });
}

/** One object a row: seven numbers (YOLO-NAS, YOLOv7), or six (Paddle). */
function rows({ outputs, view, declared }: Sight, add: Add): void {
  const integers = outputs.filter((output) => !isFloat(output));
  const floats = outputs.filter(isFloat);
  const [first] = floats;
  if (first && floats.length === 1 && first.dims.length === 2 && first.dims[1] === 7) {
    const found = { outputs: { predictions: first.name }, classCount: undefined };
    const flat = /flat/i.test(first.name);
    if (declared !== undefined || flat || first.name !== 'output')
      add('yolo-nas-flat', { ...found, why: `rows of seven numbers${flat ? ', by its name flat' : ''}` });
    if (declared !== undefined || !flat) add('yolov7-end2end', { ...found, why: 'rows of seven numbers' });
  }
  const paddled = hasInput(view, 'scale_factor', 'im_shape');
  const isRow = ({ dims }: TensorSpec): boolean => dims.length === 2 && dims[1] === 6;
  const numbers = floats.find(isRow) ?? (paddled && first?.dims.at(-1) === 6 ? first : undefined);
  if (numbers && (paddled || integers.length === 1 || declared === 'paddle'))
    add('paddle', {
      outputs: {
        predictions: numbers.name,
        ...(integers.length === 1 && { count: (integers[0] as TensorSpec).name }),
      },
      classCount: undefined,
      why: `rows of six numbers${paddled ? ', and an input that Paddle’s exports have' : ' and an integer count'}`,
    });
}
