import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor, TensorSpec } from '../engine/index.js';

/** What decoders are chosen by. */
export interface ModelView {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The model's metadata_props. */
  readonly metadata: ReadonlyMap<string, string>;
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

export type DecoderFormat = 'yolov10' | 'yolov8' | 'yolov5' | 'yolox';

/** Options of decoding, all explicit. */
export interface DecoderOptions {
  readonly confidence: number;
  readonly iou: number;
  readonly maxDetections: number;
  /** Height and width of the model's input, pixels. */
  readonly inputHeight: number;
  readonly inputWidth: number;
}

/** Turns the outputs of one image into boxes. */
export interface Decoder {
  readonly format: DecoderFormat;
  readonly options: DecoderOptions;
  /** Number of classes when the layout tells it. */
  readonly classCount: number | undefined;
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
    };
