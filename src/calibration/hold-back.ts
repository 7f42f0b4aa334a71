/** Every so many images one is held back. */
const EVERY = 8;
/** Images that are enough to tell which of two quantizations errs less. */
const MOST = 16;

/** Calibration images parted in two. */
export interface HeldBack<T> {
  /** Those that statistics are taken from. */
  readonly fit: readonly T[];
  /** Those that choices are made on: about an eighth, 16 at most, spread evenly over the whole. */
  readonly held: readonly T[];
}

/**
 * Parts images in two, the same way for the same list. A choice between calibrators, or for a correction, that is made on
 * the images that gave the ranges would favour what fits them best; one made on validation images would flatter the verdict.
 * Fewer than two images cannot be parted: then nothing is held back.
 */
export function holdBack<T>(images: readonly T[]): HeldBack<T> {
  if (images.length < 2) return { fit: images, held: [] };
  const count = Math.min(MOST, Math.max(1, Math.floor(images.length / EVERY)));
  const places = new Set(
    Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * images.length) / count)),
  );
  return {
    fit: images.filter((_, i) => !places.has(i)),
    held: images.filter((_, i) => places.has(i)),
  };
}
