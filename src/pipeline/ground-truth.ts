/** The validation set that settings name. */
import { loadGroundTruth, type GroundTruth } from '../dataset/index.js';
import type { Settings } from '../settings/index.js';

/** Whether images are turned as their EXIF data says. */
export function followsExif({ preprocessing }: Pick<Settings, 'preprocessing'>): boolean {
  return preprocessing === 'auto' || (preprocessing.exif ?? true);
}

/** Reads the validation set, cut to its limit. @throws InputFault when it cannot be used. */
export function groundTruthOf(settings: Settings): Promise<GroundTruth> {
  const { format, annotations, images, split, limit } = settings.validation;
  return loadGroundTruth({
    format,
    annotations,
    images,
    split,
    limit,
    seed: settings.gate.seed,
    exif: followsExif(settings),
  });
}
