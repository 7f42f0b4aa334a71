import type { PreprocessingSpec } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { heightAndWidth, imageInput, inputSize, layoutOf } from './view.js';
import type { DecoderChoice, Family as FamilyName, ModelView } from './types.js';

type Fixed = Pick<
  PreprocessingSpec,
  'resize' | 'interpolation' | 'color' | 'pad' | 'scale' | 'mean' | 'std' | 'shortSide' | 'longSide'
>;

/** A key of the settings that is set overrides; one that is not keeps the family's value. */
export type PreprocessingOverride =
  | 'auto'
  | ({
      readonly [K in Exclude<keyof PreprocessingSpec, 'mean' | 'std'>]?: PreprocessingSpec[K] | undefined;
    } & {
      /** Three numbers each, as the schema makes sure. */
      readonly mean?: readonly number[] | undefined;
      readonly std?: readonly number[] | undefined;
    });

const ULTRALYTICS: Fixed = {
  resize: 'letterbox',
  interpolation: 'opencv',
  color: 'rgb',
  pad: 114,
  scale: 1 / 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
/** Of mmdetection and NanoDet: BGR, 0…255. */
const MMDETECTION = {
  color: 'bgr',
  scale: 1,
  mean: [103.53, 116.28, 123.675],
  std: [57.375, 57.12, 58.395],
} as const;

type Family = { readonly fixed: Fixed; readonly words: string };
const YOLO: Family = { fixed: ULTRALYTICS, words: 'RGB / 255, centred letterbox with 114, as Ultralytics' };
const YOLOX: Family = {
  fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', color: 'bgr', scale: 1 },
  words: 'BGR 0…255, letterbox to the top left with 114, as YOLOX',
};
const YOLO_NAS: Family = {
  fixed: ULTRALYTICS,
  words: 'RGB / 255, centred letterbox with 114 (at 640: the image in 636), as YOLO-NAS',
};
const PADDLE: Family = {
  fixed: { ...ULTRALYTICS, resize: 'stretch', interpolation: 'opencv-cubic' },
  words:
    'RGB / 255, stretched by cv2.INTER_CUBIC, as PP-YOLOE+ and RT-DETR of Paddle (PicoDet and the first PP-YOLOE want ImageNet’s mean and std)',
};
const RT_DETR: Family = {
  fixed: { ...ULTRALYTICS, resize: 'stretch', interpolation: 'pil' },
  words: 'RGB / 255, stretched by Pillow, as RT-DETR',
};

/** How each family was trained and is evaluated by its own code. */
const FAMILIES: Readonly<Record<FamilyName, Family>> = {
  yolov10: YOLO,
  yolov8: YOLO,
  yolov5: YOLO,
  'yolov5-heads': YOLO,
  'yolov7-end2end': YOLO,
  'efficient-nms': YOLO,
  'nms-indices': YOLO,
  yolox: YOLOX,
  'yolox-decoded': YOLOX,
  'yolo-nas': YOLO_NAS,
  'yolo-nas-batch': YOLO_NAS,
  'yolo-nas-flat': YOLO_NAS,
  paddle: PADDLE,
  'paddle-raw': PADDLE,
  'paddle-rows': PADDLE,
  'picodet-heads': {
    fixed: { ...PADDLE.fixed, ...IMAGENET },
    words: 'RGB with ImageNet’s mean and std, stretched by cv2.INTER_CUBIC, as PicoDet',
  },
  nanodet: {
    fixed: { ...ULTRALYTICS, resize: 'stretch', ...MMDETECTION },
    words: 'BGR with mean 103.53 116.28 123.675, stretched, as NanoDet-Plus',
  },
  'nanodet-first': {
    fixed: { ...ULTRALYTICS, pad: 0, ...MMDETECTION },
    words: 'BGR with mean 103.53 116.28 123.675, centred letterbox with 0, as NanoDet before Plus',
  },
  rtdetr: RT_DETR,
  'rtdetr-deploy': RT_DETR,
  'rtdetr-ultralytics': {
    fixed: { ...ULTRALYTICS, resize: 'stretch' },
    words: 'RGB / 255, stretched, as RT-DETR of Ultralytics',
  },
  'rf-detr': {
    fixed: { ...RT_DETR.fixed, ...IMAGENET },
    words: 'RGB with ImageNet’s mean and std, stretched by Pillow, as RF-DETR',
  },
  detr: {
    fixed: { ...RT_DETR.fixed, ...IMAGENET },
    words: 'RGB with ImageNet’s mean and std, stretched by Pillow to the fixed input, as exports of DETR',
  },
  'detr-masked': {
    fixed: {
      ...RT_DETR.fixed,
      ...IMAGENET,
      resize: 'shortest-side',
      shortSide: 800,
      longSide: 1333,
      pad: 116, // nearest to 0 after normalization
    },
    words:
      'RGB with ImageNet’s mean and std, shortest side 800 (the longest at most 1333, both as far as the input allows) by Pillow, padded right and below, and the mask says where, as DETR of Transformers',
  },
  torchvision: {
    fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', pad: 0 },
    words:
      'RGB / 255, ratio kept, padded right and below with 0; the rest is done by the model, as torchvision',
  },
  'tf-od': {
    fixed: { ...ULTRALYTICS, resize: 'stretch', scale: 1 },
    words: 'RGB 0…255, stretched, as TensorFlow object detection',
  },
  mmdeploy: {
    fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', ...MMDETECTION },
    words:
      'BGR with mean 103.53 116.28 123.675, letterbox to the top left with 114, as RTMDet with free axes (other detectors of MMDetection: `preprocessing`)',
  },
  'mmdeploy-static': {
    fixed: { ...ULTRALYTICS, resize: 'stretch', ...MMDETECTION },
    words:
      'BGR with mean 103.53 116.28 123.675, stretched, as MMDeploy does for a fixed input, of RTMDet (other detectors of MMDetection: `preprocessing`)',
  },
};

/** Preprocessing by family, input shape and type, with what the settings say on top. */
export function inferPreprocessing(
  view: ModelView,
  choice: DecoderChoice,
  override: PreprocessingOverride = 'auto',
): { readonly spec: PreprocessingSpec; readonly reasons: string[] } {
  const name = familyOf(view, choice);
  const family = FAMILIES[name];
  const input = imageInput(view);
  const given = Object.fromEntries(
    Object.entries(override === 'auto' ? {} : override).filter(([, value]) => value !== undefined),
  );
  const size = 'height' in given && 'width' in given ? { height: 0, width: 0 } : inputSize(view);
  if (input.type !== 'float32' && input.type !== 'float16' && input.type !== 'uint8')
    throw new InputFault({
      where: `model input ${input.name}`,
      what: `has type ${input.type}; float32, float16 and uint8 are known`,
      fix: 'Export the model with an input of float32.',
    });
  const spec: PreprocessingSpec = {
    ...family.fixed,
    // Of 8-bit inputs the model makes floats by itself.
    ...(input.type === 'uint8' && { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] }),
    ...(name.startsWith('yolo-nas') && size.height === 640 && size.width === 640 && { margin: 4 }),
    ...(input.dims.length === 3 && { batchless: true }),
    ...size,
    layout: layoutOf(view),
    dtype: input.type,
    exif: true,
    ...given,
  };
  contradict(view, spec);
  const set = Object.keys(given);
  return {
    spec,
    reasons: [family.words, ...(set.length > 0 ? [`set by the settings: ${set.join(', ')}`] : [])],
  };
}

/** Some formats come with more than one way of preprocessing; the image input or a further input tells. */
function familyOf(view: ModelView, { decoder }: DecoderChoice): FamilyName {
  const family = decoder.family ?? decoder.format;
  if (family === 'detr' && view.inputs.some(({ name }) => name === 'pixel_mask')) return 'detr-masked';
  if (family === 'mmdeploy' && heightAndWidth(view).every((side) => side > 0)) return 'mmdeploy-static';
  return family;
}

function contradict(view: ModelView, spec: PreprocessingSpec): void {
  const { name, dims } = imageInput(view);
  const [height, width] = spec.layout === 'nchw' ? dims.slice(-2) : dims.slice(-3);
  if ((height === -1 || height === spec.height) && (width === -1 || width === spec.width)) return;
  throw new InputFault({
    where: 'preprocessing',
    what: `asks for ${spec.height}×${spec.width} (${spec.layout}), the model's input ${name} is fixed at [${dims.join(', ')}]`,
    fix: 'Leave height and width out, or export the model at the size that you want.',
  });
}
