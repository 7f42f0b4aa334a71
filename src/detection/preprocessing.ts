import type { PreprocessingSpec } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import { imageInput, inputSize, layoutOf } from './view.js';
import type { DecoderChoice, DecoderFormat, ModelView } from './types.js';

type Fixed = Pick<PreprocessingSpec, 'resize' | 'interpolation' | 'color' | 'pad' | 'scale' | 'mean' | 'std'>;

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
const YOLO_NAS: Family = { fixed: ULTRALYTICS, words: 'RGB / 255, centred letterbox with 114, as YOLO-NAS' };
const PADDLE: Family = {
  fixed: { ...ULTRALYTICS, resize: 'stretch' },
  words:
    'RGB / 255, stretched, as PP-YOLOE+ (bilinear; PicoDet and the first PP-YOLOE want ImageNet’s mean and std)',
};
const RT_DETR: Family = {
  fixed: { ...ULTRALYTICS, resize: 'stretch', interpolation: 'pil' },
  words: 'RGB / 255, stretched by Pillow, as RT-DETR',
};

/** How each family was trained and is evaluated by its own code. */
const FAMILIES: Readonly<Record<DecoderFormat, Family>> = {
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
  'picodet-heads': {
    fixed: { ...ULTRALYTICS, resize: 'stretch', ...IMAGENET },
    words: 'RGB with ImageNet’s mean and std, stretched, as PicoDet',
  },
  nanodet: {
    fixed: { ...ULTRALYTICS, resize: 'stretch', ...MMDETECTION },
    words: 'BGR with mean 103.53 116.28 123.675, stretched, as NanoDet',
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
  torchvision: {
    fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', pad: 0 },
    words:
      'RGB / 255, ratio kept, padded right and below with 0; the rest is done by the model, as torchvision',
  },
  'tf-od': {
    fixed: { ...RT_DETR.fixed, scale: 1 },
    words: 'RGB 0…255, stretched, as TensorFlow object detection',
  },
  mmdeploy: {
    fixed: { ...ULTRALYTICS, resize: 'letterbox-top-left', ...MMDETECTION },
    words: 'BGR with mean 103.53 116.28 123.675, letterbox to the top left with 114, as RTMDet',
  },
};

/** Preprocessing by family, input shape and type, with what the settings say on top. */
export function inferPreprocessing(
  view: ModelView,
  choice: DecoderChoice,
  override: PreprocessingOverride = 'auto',
): { readonly spec: PreprocessingSpec; readonly reasons: string[] } {
  const family = FAMILIES[choice.decoder.format];
  const input = imageInput(view);
  const given = Object.fromEntries(
    Object.entries(override === 'auto' ? {} : override).filter(([, value]) => value !== undefined),
  );
  const size = 'height' in given && 'width' in given ? { height: 0, width: 0 } : inputSize(view);
  if (input.type !== 'float32' && input.type !== 'float16' && input.type !== 'uint8')
    throw new InputFault({
      where: `model input ${input.name}`,
      what: `has type ${input.type}; float32, float16 and uint8 are known`,
    });
  const spec: PreprocessingSpec = {
    ...family.fixed,
    ...(input.type === 'uint8' && { scale: 1 }),
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

function contradict(view: ModelView, spec: PreprocessingSpec): void {
  const { name, dims } = imageInput(view);
  const [height, width] = spec.layout === 'nchw' ? dims.slice(2) : dims.slice(1);
  if ((height === -1 || height === spec.height) && (width === -1 || width === spec.width)) return;
  throw new InputFault({
    where: 'preprocessing',
    what: `asks for ${spec.height}×${spec.width} (${spec.layout}), the model's input ${name} is fixed at [${dims.join(', ')}]`,
    fix: 'Leave height and width out, or export the model at the size that you want.',
  });
}
