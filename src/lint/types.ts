/**
 * What a finding means: TensorRT refuses the file; builds it, but computes something else than was written; builds it, but
 * answers worse than INT8 could; builds it, but runs slower than it could; worth knowing.
 */
export type LintSeverity = 'refused' | 'misread' | 'accuracy' | 'slow' | 'note';

/** One thing found in a Q/DQ file. */
export interface LintFinding {
  /** Name of the rule. */
  readonly rule: string;
  readonly severity: LintSeverity;
  /** Name of the node. */
  readonly node: string;
  /** What is there and why it matters. */
  readonly why: string;
  readonly fix: string;
}

/** The findings of a file, gravest first. */
export interface LintResult {
  readonly file: string;
  readonly opset: number;
  /** Who wrote the file, as far as it says. */
  readonly producer: string;
  /** The tool that quantized it, where its signature or the names of its Q/DQ tell. */
  readonly tool?: string;
  /** How the model is quantized. */
  readonly style: 'Q/DQ' | 'operators' | 'dynamic' | 'none';
  /** Q of activations; weights of layers, without biases and other constants. */
  readonly quantizers: { readonly activations: number; readonly weights: number };
  /** Layers (Conv, ConvTranspose, Gemm, MatMul) that run in INT8, of all. */
  readonly layers: { readonly int8: number; readonly all: number };
  /** Integer operators, which have no Q/DQ. */
  readonly integerOperators: number;
  readonly findings: readonly LintFinding[];
}
