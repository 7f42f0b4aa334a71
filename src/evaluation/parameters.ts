/** The constants of COCO's evaluation. */
import { linspace } from './numeric.js';

/** IoU thresholds 0.50 … 0.95 as numpy.linspace gives them (the ninth is 0.8999999999999999). */
export const IOU_THRESHOLDS = linspace(0.5, 0.95, 10);
/** 101 recall points. */
export const RECALL_POINTS = linspace(0, 1, 101);
/** Both ends inclusive: an area of 1024 is small and medium. */
export const AREAS = [
  { name: 'all', from: 0, to: 1e10 },
  { name: 'small', from: 0, to: 32 ** 2 },
  { name: 'medium', from: 32 ** 2, to: 96 ** 2 },
  { name: 'large', from: 96 ** 2, to: 1e10 },
] as const;
/** Detections that count, per image and class. */
export const MAX_DETECTIONS = [1, 10, 100] as const;

/** Outcome of a detection at a threshold. */
export const OUTCOME = { falsePositive: 0, truePositive: 1, ignored: 2 } as const;
