/** The parts of the report that are there to be drawn. All optional, all bounded in size. */
import { nullable, number, numbers, object, text, texts } from './schema-parts.js';

const variantName = { enum: ['fp32', 'int8', 'mixed'] } as const;

const boxes = {
  type: 'array',
  maxItems: 200,
  items: object(
    {
      class: text,
      /** x, y, width, height in pixels of the original image. */
      box: { type: 'array', items: number, minItems: 4, maxItems: 4 },
      score: number,
    },
    ['class', 'box'],
  ),
} as const;

export const pictureSections = {
  /** Precision over recall, COCO's envelope, all sizes, at most 100 detections an image. */
  curves: {
    type: 'array',
    items: object(
      {
        variant: variantName,
        iou: number,
        /** Left out for the mean over classes that have boxes. */
        class: text,
        /** At recall 0, 0.01 … 1. */
        precision: numbers,
      },
      ['variant', 'iou', 'precision'],
    ),
  },
  /** Counts of detections: `scores` of all, `sizes` (square root of the area, pixels) of those with a score of 0.25 or more. */
  distributions: object(
    {
      scoreEdges: numbers,
      sizeEdges: numbers,
      variants: {
        type: 'array',
        items: object({ variant: variantName, scores: numbers, sizes: numbers }, [
          'variant',
          'scores',
          'sizes',
        ]),
      },
    },
    ['scoreEdges', 'sizeEdges', 'variants'],
  ),
  /** What calibration saw of the tensors that run in INT8, those that INT8 harms most first. */
  histograms: {
    type: 'array',
    items: object(
      {
        tensor: text,
        /** INT8 layers that read it. */
        layers: texts,
        elements: number,
        zeros: number,
        min: number,
        max: number,
        /** Counts of |x| in bins of this width from 0 on; zeros lie in the first. */
        binWidth: number,
        counts: numbers,
        /** Range in force. */
        amax: number,
        /** dB of the tensor alone at that range; null when nothing is lost. */
        sqnr: nullable,
        /** What each calibrator would choose. */
        clips: {
          type: 'array',
          items: object({ calibrator: text, amax: number, sqnr: nullable }, ['calibrator', 'amax', 'sqnr']),
        },
      },
      ['tensor', 'layers', 'elements', 'zeros', 'min', 'max', 'binWidth', 'counts', 'amax', 'sqnr', 'clips'],
    ),
  },
  /** Images on which INT8 finds fewer of the objects that FP32 finds, or shows more that is not there. */
  worstImages: object(
    {
      /** Images of the validation set with such a loss. */
      affected: number,
      /** Detections from this score on are counted and shown. */
      score: number,
      images: {
        type: 'array',
        items: object(
          {
            name: text,
            width: number,
            height: number,
            objects: number,
            /** Objects that FP32 finds and INT8 does not, at an IoU of 0.5. */
            lost: number,
            /** False detections more than FP32 has. */
            added: number,
            truth: boxes,
            fp32: boxes,
            int8: boxes,
            /** JPEG, base64. */
            thumbnail: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$', maxLength: 100_000 },
          },
          ['name', 'width', 'height', 'objects', 'lost', 'added', 'truth', 'fp32', 'int8'],
        ),
      },
    },
    ['affected', 'score', 'images'],
  ),
} as const;
