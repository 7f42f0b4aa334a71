/** What the engine inspector says of each layer, of TensorRT 8.6, 10 and 11, as one form. */

/** Precision that a layer of the engine really computes in. */
export type EnginePrecision = 'int8' | 'fp16' | 'fp32' | 'other';

/** A layer of an engine. */
export interface EngineLayer {
  readonly name: string;
  /** TensorRT's own word, e.g. `CaskConvolution`. */
  readonly type: string;
  /** ONNX nodes that were fused into it. */
  readonly nodes: readonly string[];
  readonly precision: EnginePrecision;
  /** True for layers that only change a tensor's type or layout: what Q/DQ in the wrong place costs. */
  readonly reformat: boolean;
  /** Mean milliseconds by the profiler; undefined when not profiled. */
  readonly ms?: number;
}

/** Reads the inspector's JSON. Answers `undefined` when layers carry no detail (built without detailed verbosity). */
export function parseInspector(json: unknown): readonly EngineLayer[] | undefined {
  const layers = property(json, 'Layers');
  if (!Array.isArray(layers)) return undefined;
  const read = layers.map((one: unknown) =>
    typeof one === 'object' && one !== null ? layerOf(one) : undefined,
  );
  return read.includes(undefined) ? undefined : (read as EngineLayer[]);
}

/** Sets the times of the profiler beside the layers, by name. */
export function withTimes(
  layers: readonly EngineLayer[],
  times: readonly { readonly name: string; readonly ms: number }[],
): readonly EngineLayer[] {
  const byName = new Map(times.map(({ name, ms }) => [name, ms]));
  return layers.map((layer) => {
    const ms = byName.get(layer.name);
    return ms === undefined ? layer : { ...layer, ms };
  });
}

function layerOf(layer: object): EngineLayer {
  const name = stringOf(layer, 'Name');
  const type = stringOf(layer, 'LayerType');
  const kind = stringOf(layer, 'ParameterType');
  return {
    name,
    type,
    nodes: nodesOf(stringOf(layer, 'Metadata')),
    precision: precisionOf(layer),
    reformat:
      type === 'Reformat' ||
      kind === 'Reformat' ||
      type === 'NoOp' ||
      stringOf(layer, 'Origin') === 'REFORMAT',
  };
}

/** `[ONNX Layer: a]`, one or more, set apart by a record separator; names may hold brackets. */
function nodesOf(metadata: string): readonly string[] {
  return metadata
    .split(/\x1e|\x1f/)
    .flatMap((part) => {
      const found = /^\[ONNX Layer: ([^]*)\]$/.exec(part.trim());
      return found === null ? [] : [found[1] as string];
    })
    .filter((name, i, all) => all.indexOf(name) === i);
}

/** Weights tell; where there are none, the first input; then the output. */
function precisionOf(layer: object): EnginePrecision {
  const weights = property(property(layer, 'Weights'), 'Type');
  const words = [
    typeof weights === 'string' ? weights : '',
    formatOf(first(property(layer, 'Inputs'))),
    formatOf(first(property(layer, 'Outputs'))),
  ];
  return words.map(precisionIn).find((one) => one !== undefined) ?? 'other';
}

/** Up to TensorRT 10 `Format/Datatype` holds both; 11 has `DataType`. */
function formatOf(tensor: unknown): string {
  return tensor === undefined ? '' : stringOf(tensor, 'DataType') || stringOf(tensor, 'Format/Datatype');
}

function precisionIn(words: string): EnginePrecision | undefined {
  if (/int8/i.test(words)) return 'int8';
  if (/half|fp16|float16/i.test(words)) return 'fp16';
  if (/float|fp32/i.test(words)) return 'fp32';
  return words === '' ? undefined : 'other';
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? (value as unknown[])[0] : undefined;
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function stringOf(value: unknown, key: string): string {
  const found = property(value, key);
  return typeof found === 'string' ? found : '';
}
