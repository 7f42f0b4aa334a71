import type { TensorExtremes, TensorStatistics } from '../calibration/index.js';
import type { ImageGeometry } from '../dataset/index.js';
import type { FoundComparison } from '../evaluation/index.js';
import type { Graph } from '../onnx/index.js';
import type { ScaleRecord } from '../quantization/index.js';
import type { WeightEvidence } from './weights.js';

/** Causes that rules know. */
export type FindingKind =
  | 'shared-scale'
  | 'nothing-detected'
  | 'preprocessing'
  | 'one-sided-calibration'
  | 'fp16-overflow'
  | 'unequal-channels'
  | 'range-outlier'
  | 'saturation'
  | 'weight-range'
  | 'growing-ranges'
  | 'few-calibration-images'
  | 'one-sided-range'
  | 'dead-channels';

/** A cause with its evidence, in words that a person can act on. */
export interface Finding {
  readonly kind: FindingKind;
  /** `error` breaks the detector, `warning` costs accuracy, `info` is worth knowing. */
  readonly severity: 'error' | 'warning' | 'info';
  /** Tensor, layer or folder that it is about; the worst where there are several. */
  readonly subject: string;
  readonly sentence: string;
  readonly advice: string;
  /** Layers concerned, so that a table of layers can show the cause. */
  readonly layers: string[];
  /** The numbers behind the sentence. */
  readonly evidence: Record<string, number>;
}

/** A tensor that the INT8 model quantizes. */
export interface QuantizedTensor {
  readonly name: string;
  /** INT8 layers that read it. */
  readonly layers: readonly string[];
  /** Range in force: values beyond ±amax saturate. At least the calibrator's own where a Concat shares scales. */
  readonly amax: number;
  /** The calibrator's own range; of a model that came quantized, the one in force. */
  readonly ownAmax: number;
  readonly calibration: TensorStatistics;
  /** By image and channel; absent where the engine cannot tell. */
  readonly extremes: TensorExtremes | undefined;
}

/** One more run of the whole INT8 model with something changed. */
export interface CalibratorTrial {
  /** As the settings name it: `percentile 99.99`, `mse`, … */
  readonly calibrator: string;
  /** dB of the raw head outputs against FP32. */
  readonly sqnr: number;
}

/** One more run of the whole INT8 model with some layers in float. */
export interface FloatTrial {
  readonly layers: readonly string[];
  /** dB of the raw head outputs against FP32. */
  readonly sqnr: number;
}

/** One more run of the whole INT8 model with ranges that one calibration image has no part in. */
export interface ImageTrial {
  /** Index of the image. */
  readonly image: number;
  /** dB of the raw head outputs against FP32. */
  readonly sqnr: number;
}

/** One more run of the whole INT8 model with weights at 0 that multiply next to nothing. */
export interface SilenceTrial {
  readonly layer: string;
  /** dB of the raw head outputs against FP32 with all its weights. */
  readonly sqnr: number;
}

/** The INT8 model on the subset, as it is and with Q/DQ only where TensorRT fuses it. */
export interface OperatorsTrial {
  readonly images: number;
  /** mAP50-95, 0…1. */
  readonly before: number;
  readonly after: number;
}

/** FP32 on the same images with one thing changed in the preprocessing. */
export interface PreprocessingTrial {
  /** What was changed, as the settings say it: `color: bgr`. */
  readonly change: string;
  /** mAP50-95, 0…1. */
  readonly before: number;
  readonly after: number;
  readonly images: number;
  /** By the scores that objects get. */
  readonly found: FoundComparison;
}

/** Mean pixel values of a set, 0…255, in the order red, green, blue. */
export interface PixelMeans {
  readonly mean: readonly [number, number, number];
  readonly brightness: number;
}

/** Where the largest value of a tensor came from. */
export interface PeakImage {
  /** The image as its set names it. */
  readonly name: string;
  readonly geometry: ImageGeometry;
}

/** Everything that rules look at; gathered by whoever runs the engine. */
export interface Evidence {
  readonly graph: Graph;
  readonly scales: readonly ScaleRecord[];
  /** Statistics over the calibration images of every tensor observed, those of float layers too. */
  readonly calibration: ReadonlyMap<string, TensorStatistics>;
  /** The same tensors on validation images. */
  readonly validation: ReadonlyMap<string, TensorStatistics>;
  /** In the order of the graph. */
  readonly tensors: readonly QuantizedTensor[];
  readonly weights: readonly WeightEvidence[];
  /** Layers that run in float, with the tensors that they read. */
  readonly floatLayers: readonly { readonly name: string; readonly activations: readonly string[] }[];
  /** The calibrator in force, as the settings name it. */
  readonly calibrator: string;
  /** True when the scales came with the model: nothing that this run calibrates with has set them, or can. */
  readonly ownScales?: boolean;
  /** dB of the INT8 model's raw head outputs. */
  readonly sqnr: number | undefined;
  readonly calibratorTrials: readonly CalibratorTrial[];
  /** Of what {@link floatRemedies} names. */
  readonly floatTrials: readonly FloatTrial[];
  /** Of the image that {@link findAlone} names. */
  readonly imageTrial?: ImageTrial | undefined;
  /** Of the layer that {@link findIdle} names. */
  readonly silenceTrial?: SilenceTrial | undefined;
  /** Where scales are shared that cannot be, and Q/DQ stands elsewhere than TensorRT fuses it. */
  readonly operatorsTrial?: OperatorsTrial | undefined;
  readonly preprocessingTrials: readonly PreprocessingTrial[];
  /** Folder of the calibration images, as the settings name it, and their number. */
  readonly calibrationFolder: string;
  readonly calibrationImages: number;
  /** Names of the calibration images, by index; absent where they are not known. */
  readonly calibrationNames?: readonly string[];
  readonly pixels: { readonly calibration: PixelMeans; readonly validation: PixelMeans };
  /** Size of the model's input, pixels. */
  readonly input: { readonly height: number; readonly width: number };
  /** Calibration images that hold the peaks of suspicious tensors, by index. */
  readonly peaks: ReadonlyMap<number, PeakImage>;
  /** Detections with a score of 0.25 or more. */
  readonly detections: { readonly fp32: number; readonly int8: number };
}
