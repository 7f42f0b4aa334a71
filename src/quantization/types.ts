/** Precision plans and what comes of them. */

/** Precision of one layer. `fp16` runs as float on an engine without FP16. */
export type Precision = 'int8' | 'fp16' | 'fp32';

/** Which operators get Q/DQ.
 * - `tensorrt`: placement that TensorRT fuses (Conv, ConvTranspose, Gemm, MatMul inputs; residual skip; shared Concat scale)
 * - `all`: every float tensor between any two operators, post-processing included (what naive tools do)
 * - a list of op types: just the inputs and weights of those
 */
export type OperatorScope = 'tensorrt' | 'all' | readonly string[];

/** A precision plan: committed as JSON, edited by hand, round-trips. */
export interface PrecisionPlan {
  readonly version: 1;
  readonly operators: OperatorScope;
  /** Precision of layers that `layers` does not name. */
  readonly default: Precision;
  /** Precision by layer name (ONNX node name); `*` matches any run of characters; the last match wins. */
  readonly layers: Readonly<Record<string, Precision>>;
  /** Layers in INT8 whose inputs are ranged by another calibrator (`entropy`, `percentile:99.99` …); names as in `layers`. */
  readonly calibrators?: Readonly<Record<string, string>>;
  /** Structure digest of the model that the plan was made for; a different one makes the plan stale. */
  readonly model?: string;
  /** Calibrator in force when the plan was found; a different one makes the plan stale. */
  readonly calibrator?: string;
  /** Every layer of that model with what tells it apart from its name (`nodeStructure`): to say what is new or renamed. */
  readonly network?: Readonly<Record<string, string>>;
  /** Free words of the author. */
  readonly comment?: string;
}

/** A unit that a plan switches: one weighted node, or nodes that must move together. */
export interface Layer {
  /** Name of the node that a person would recognise; unique in the model. */
  readonly name: string;
  readonly opType: string;
  /** Indexes of the graph's nodes that move together. */
  readonly nodes: readonly number[];
  /** Position along the network's depth, 0 … layers-1, in topological order. */
  readonly depth: number;
  /** Multiply-accumulates for one image, when shapes are known. */
  readonly macs: number | undefined;
  /** Number of weights. */
  readonly parameters: number;
  /** Activation tensors whose quantization this layer causes. */
  readonly activations: readonly string[];
  /** True for the last weighted layers in front of post-processing. */
  readonly head: boolean;
  /** True for products of two activations (attention) and layers that read what those read. */
  readonly attention?: boolean;
}

/** One scale of a quantized model. */
export interface ScaleRecord {
  readonly tensor: string;
  readonly kind: 'activation' | 'weight';
  /** One value, or one a channel. */
  readonly scale: Float32Array;
  readonly axis: number | undefined;
  /** Steps from 0 to the code that is furthest from the zero point; 127 where it is left out. */
  readonly levels?: number;
  /** Layers that use it. */
  readonly layers: readonly string[];
  /** Of an activation: the tensors that INT8 layers read under this scale; more than one where operators tie them. */
  readonly covers?: readonly string[];
}
