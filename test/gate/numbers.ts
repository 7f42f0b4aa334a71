import type { BootstrapResult, CocoStats } from '../../src/evaluation/index.js';
import type { Candidate } from '../../src/gate/index.js';

/** COCO's twelve numbers, alike but for small objects, of which there are none. */
export const stats = (AP: number, AP50 = AP): CocoStats => ({
  AP,
  AP50,
  AP75: AP,
  APs: -1,
  APm: AP,
  APl: AP,
  AR1: AP,
  AR10: AP,
  AR100: AP,
  ARs: -1,
  ARm: AP,
  ARl: AP,
});

export const candidate = (AP: number, more: Partial<Candidate> = {}): Candidate => ({
  stats: stats(AP),
  perClass: [],
  distances: undefined,
  sqnr: undefined,
  modelSizeMiB: 2,
  latencyMs: 5,
  ...more,
});

export const interval = (low: number, high: number, drop = (low + high) / 2): BootstrapResult => ({
  map: { drop, low, high },
  map50: { drop, low, high },
  ar: { drop, low, high },
  perClass: [{ drop, low, high, images: 60, together: [low, high] }],
  family: 0,
  method: 'bca',
  resamples: 1000,
  confidence: 0.95,
  images: 200,
});
