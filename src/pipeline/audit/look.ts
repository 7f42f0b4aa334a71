import { featuresOf, type BrokenImage, type ImageFeatures } from '../../audit/index.js';
import { decodeAndDigest, type ImageRecord } from '../../dataset/index.js';
import { InputFault } from '../../faults/index.js';
import type { LoadedSettings } from '../../settings/index.js';
import type { Context } from '../context.js';
import { followsExif } from '../ground-truth.js';

/** Features of the images that can be read, and why the others cannot; each file is read once. */
export async function lookAt(
  records: readonly ImageRecord[],
  { settings }: LoadedSettings,
  { progress, signal }: Context,
  set: 'calibration' | 'validation',
): Promise<{ readonly features: readonly ImageFeatures[]; readonly broken: readonly BrokenImage[] }> {
  progress.phase(`Looking at ${records.length} ${set} images`);
  const exif = followsExif(settings);
  const features: ImageFeatures[] = [];
  const broken: BrokenImage[] = [];
  for (const [i, { file, name }] of records.entries()) {
    signal.throwIfAborted();
    try {
      const image = await decodeAndDigest(file, exif);
      features.push(featuresOf(image, name, image.digest));
    } catch (error) {
      if (!(error instanceof InputFault)) throw error;
      broken.push({ name, reason: error.problems[0]?.what ?? 'cannot be read' });
    }
    progress.update(i + 1, records.length);
  }
  progress.end();
  return { features, broken };
}

/**
 * Features of the validation images.
 * @throws InputFault naming every image that cannot be read: mAP would be of others than it says
 */
export async function lookAtValidation(
  records: readonly ImageRecord[],
  loaded: LoadedSettings,
  context: Context,
): Promise<readonly ImageFeatures[]> {
  const { features, broken } = await lookAt(records, loaded, context, 'validation');
  if (broken.length > 0)
    throw new InputFault(
      broken.map(({ name, reason }) => ({ where: name, what: reason, fix: 'Replace the validation image.' })),
    );
  return features;
}
