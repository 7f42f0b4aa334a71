import type { DECODER_FORMATS } from '../settings/index.js';
import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor, TensorSpec } from '../engine/index.js';

/** What decoders are chosen by. */
export interface ModelView {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The model's metadata_props. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Types of the operators in the graph, where it is at hand. */
  readonly operators?: ReadonlySet<string>;
  /** Input size that the settings give for a model with free height and width, pixels. */
  readonly size?: { readonly height: number; readonly width: number };
  /** Categories of the annotations: tells layouts apart that differ by one column, where the model names no classes. */
  readonly categories?: number;
}

/** One decoded object, in pixels of the original image: top left corner, width, height. */
export type Emit = (
  classIndex: number,
  x: number,
  y: number,
  width: number,
  height: number,
  score: number,
) => void;

export type DecoderFormat = (typeof DECODER_FORMATS)[number];

/** Whose preprocessing a model wants: that of its format, or of a variant with the same layout. */
export type Family = DecoderFormat | 'nanodet-first' | 'detr-masked' | 'mmdeploy-static';

/** What an output holds. */
export type OutputRole = 'predictions' | 'boxes' | 'scores' | 'classes' | 'count' | 'indices';

/** How the numbers of classes are meant: from 0 without gaps, from 1 with 0 as background, or as the file's category ids. */
export type LabelConvention = 'zero-based' | 'one-based' | 'category-ids';

/** Outputs that fit a format, and why. */
export interface Match {
  readonly format: DecoderFormat;
  readonly outputs: Readonly<Partial<Record<OutputRole, string>>>;
  /** Outputs of one role by level, finest stride first: scores (or whole heads), then boxes. */
  readonly heads?: readonly (readonly string[])[];
  /** Whose preprocessing fits where it is not that of the format. */
  readonly family?: Family;
  readonly classCount: number | undefined;
  readonly why: string;
}

/** Options of decoding, all explicit. */
export interface DecoderOptions {
  readonly confidence: number;
  readonly iou: number;
  readonly maxDetections: number;
  /** Height and width of the model's input, pixels. */
  readonly inputHeight: number;
  readonly inputWidth: number;
  /** Anchors of raw YOLOv5 and v7 heads, by level: width and height in pixels of the input, in turn. */
  readonly anchors?: readonly (readonly number[])[] | undefined;
}

/** Turns the outputs of one image into boxes. */
export interface Decoder {
  readonly format: DecoderFormat;
  readonly options: DecoderOptions;
  /** The format's own when left out. */
  readonly family?: Family;
  /** Number of classes when the layout tells it. */
  readonly classCount: number | undefined;
  /** `zero-based` when left out. */
  readonly labels?: LabelConvention;
  /** Further inputs that the model wants for an image. */
  readonly extras?: (geometry: ImageGeometry) => Readonly<Record<string, HostTensor>>;
  /** @throws InputFault naming the output when it holds NaN or infinity. */
  decode(outputs: ReadonlyMap<string, HostTensor>, geometry: ImageGeometry, emit: Emit): void;
}

/** The chosen decoder and the evidence for it. */
export interface DecoderChoice {
  readonly decoder: Decoder;
  readonly why: readonly string[];
}

/** The `decoder` key of the settings. */
export type DecoderOverride =
  | 'auto'
  | {
      readonly format?: 'auto' | DecoderFormat | undefined;
      readonly confidence?: number | undefined;
      readonly iou?: number | undefined;
      readonly maxDetections?: number | undefined;
      readonly classes?: readonly string[] | undefined;
      readonly outputs?: { readonly [R in OutputRole]?: string | undefined } | undefined;
      readonly anchors?: readonly (readonly number[])[] | undefined;
    };
