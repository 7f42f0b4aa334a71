/** Labelled image sets, detections as files and tables, and images on their way to the model. */
export * from './types.js';
export { boxesByCategory, loadGroundTruth, pickImages, type GroundTruthSource } from './ground-truth.js';
export { parseCoco } from './coco.js';
export { loadDetections, parseDetections } from './detections.js';
export { DetectionBuilder } from './table.js';
export { listImages, looksLikeImage } from './list.js';
export {
  decodeAndDigest,
  decodeImage,
  readImageHeader,
  shownSize,
  type DecodedImage,
  type ImageHeader,
} from './decode.js';
export { thumbnail } from './thumbnail.js';
export { place, prepareImage } from './preprocess.js';
export { resizeOpenCvCubic } from './resize-cubic.js';
export { resizeOpenCv, resizePil, roundHalfEven, type Raster } from './resize.js';
export { openImages } from './store.js';
export { stratify } from './stratify.js';
export { parseYoloLabels, type YoloLabels, type YoloRow } from './yolo-labels.js';
export { parseVoc, type VocFile, type VocObject } from './voc-xml.js';
export { findFormat, type AnnotationFormat } from './format.js';
export { checkImages } from './sizes.js';
export { COCO_CLASSES, plainName } from './class-names.js';
export { Problems } from './problems.js';
export { imageDigests, truthDigest } from './digests.js';
export { detectionNumbers, pushNumbers } from './packed.js';
