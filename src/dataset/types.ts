/** Shapes that the rest of the house shares about images, ground truth and detections. */

/** A class of objects, as the annotation file names it. */
export interface Category {
  readonly id: number;
  readonly name: string;
}

/** One image of a set. */
export interface ImageRecord {
  /** Id in the annotation file. */
  readonly id: number;
  /** Absolute path. */
  readonly file: string;
  /** Name as the annotation file (or folder listing) has it: what reports show. */
  readonly name: string;
  /** Width in pixels as annotated (0 when unknown until decoded). */
  readonly width: number;
  readonly height: number;
}

/** Ground-truth boxes as columns, in the order of the file. */
export interface AnnotationTable {
  readonly count: number;
  /** Index into {@link GroundTruth.images}. */
  readonly image: Int32Array;
  /** Index into {@link GroundTruth.categories}. */
  readonly category: Int32Array;
  /** `[count, 4]`: x, y, width, height in pixels. */
  readonly bbox: Float64Array;
  /** Area that decides small, medium, large: the file's own `area` where it has one, else width times height. */
  readonly area: Float64Array;
  /** 1 where the box marks a crowd. */
  readonly crowd: Uint8Array;
  /** 1 where the box neither counts nor hurts without being a crowd (VOC `difficult`). */
  readonly ignore: Uint8Array;
  /** Annotation ids as in the file (0 where the format has none). */
  readonly id: Float64Array;
}

/** What was found in the annotations and not used, counted so that the report can say it. */
export interface Skipped {
  readonly what: string;
  readonly count: number;
}

/** A labelled image set. */
export interface GroundTruth {
  /** The annotation file or folder, for messages. */
  readonly source: string;
  /** Ascending by id, unique; images without annotations included. */
  readonly images: readonly ImageRecord[];
  /** Ascending by id, unique. */
  readonly categories: readonly Category[];
  readonly annotations: AnnotationTable;
  readonly skipped: readonly Skipped[];
}

/** Detections as columns, in the order in which they were made (ties in score keep it). */
export interface DetectionTable {
  readonly count: number;
  /** Index into {@link GroundTruth.images}. */
  readonly image: Int32Array;
  /** Index into {@link GroundTruth.categories}. */
  readonly category: Int32Array;
  /** `[count, 4]`: x, y, width, height in pixels of the original image. */
  readonly bbox: Float64Array;
  readonly score: Float64Array;
}

/** How pixels become the model's input; every field explicit. */
export interface PreprocessingSpec {
  /**
   * `letterbox` = keep ratio, centred pad; `letterbox-top-left` = pad right and bottom; `stretch`;
   * `shortest-side` = keep ratio, the short side to `shortSide` unless the long one would pass `longSide` or the
   * canvas, then pad right and bottom.
   */
  readonly resize: 'letterbox' | 'letterbox-top-left' | 'stretch' | 'shortest-side';
  /** Model input height and width in pixels. */
  readonly height: number;
  readonly width: number;
  /** With `shortest-side`: what the short side becomes, in pixels; the canvas' short side when left out. */
  readonly shortSide?: number;
  /** With `shortest-side`: what the long side may be at most, in pixels; what the canvas holds when left out. */
  readonly longSide?: number;
  /** With `letterbox`: pixels of height and of width that the image leaves free at least, as YOLO-NAS does; 0 when left out. */
  readonly margin?: number;
  /** `opencv` = cv2.INTER_LINEAR, `opencv-cubic` = cv2.INTER_CUBIC, both on 8-bit; `pil` = antialiased bilinear of Pillow. */
  readonly interpolation: 'opencv' | 'opencv-cubic' | 'pil';
  readonly color: 'rgb' | 'bgr';
  /** Value of padded pixels, 0…255. */
  readonly pad: number;
  /** input = (pixel * scale - mean) / std, per channel in `color` order. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
  readonly layout: 'nchw' | 'nhwc';
  /** The model takes one image without a dimension for the batch. */
  readonly batchless?: boolean;
  readonly dtype: 'float32' | 'float16' | 'uint8';
  /** Turn the image as its EXIF orientation says before anything else. */
  readonly exif: boolean;
}

/** How a point of the model input maps back: original = (input - pad) / scale. */
export interface ImageGeometry {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly padX: number;
  readonly padY: number;
  /** Size of the decoded image (after EXIF), in pixels. */
  readonly originalWidth: number;
  readonly originalHeight: number;
}

/** An image ready for the engine: 8-bit canvas of the model's size in shared memory. */
export interface PreparedImage {
  /** `[height, width, 3]`, 8 bit, in `color` order, backed by a SharedArrayBuffer. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly geometry: ImageGeometry;
}

/** Prepared images by index, decoded on demand and kept while a memory budget lasts. */
export interface ImageStore {
  readonly count: number;
  readonly records: readonly ImageRecord[];
  readonly spec: PreprocessingSpec;
  /** @throws InputFault naming the file when it is no image, is damaged, or contradicts the annotated size. */
  get(index: number): Promise<PreparedImage>;
}
