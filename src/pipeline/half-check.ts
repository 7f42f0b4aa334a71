import { InputFault } from '../faults/index.js';
import { encodeModel, tensorToFloats, TensorProto_DataType } from '../onnx/index.js';
import { resolvePlan, throughHalf, type Layer, type PrecisionPlan } from '../quantization/index.js';
import { dropBetween, measure, modelOf, type Measured } from './measure.js';
import { feedOf } from './prepare.js';
import type { Basis, Variant } from './run.js';

/** Largest number of FP16. */
const HALF_MAX = 65504;

/** What FP16 does to the float layers of a plan. */
export interface HalfCheck {
  /** The plan with FP32 for layers that FP16 would break. */
  readonly plan: PrecisionPlan;
  /** Those layers with the reason. */
  readonly fp32: ReadonlyMap<string, string>;
  /** The plan with the rest rounded to FP16; undefined where no layer is in FP16, or the outputs were not finite. */
  readonly measured: Measured | undefined;
}

/** Measurements on the whole set that may be spent on giving layers back to FP16. */
const MOST_TRIALS = 8;

/**
 * Search and gate simulate float layers in FP32. Here a plan is held against FP16: layers that read, write or hold more
 * than it can are put in FP32, and the plan is measured with what the others read, write and hold rounded. When it
 * no longer holds then, as few of them as halving finds are put in FP32.
 *
 * @param expired - true when the time of the search is over: then all of them are
 */
export async function checkHalf(
  basis: Basis,
  variant: Variant,
  holds: (variant: Variant) => boolean,
  expired: () => boolean = () => false,
): Promise<HalfCheck> {
  const { bench } = basis;
  const { plan } = variant;
  const inHalf = (one: PrecisionPlan): readonly Layer[] => {
    const precision = resolvePlan(one, bench.layers);
    return bench.layers.filter(({ name }) => precision.get(name) === 'fp16');
  };
  const fp32 = await overflowing(basis, inHalf(plan));
  const safe = withFp32(plan, [...fp32.keys()]);
  const layers = inHalf(safe);
  if (layers.length === 0) return { plan: safe, fp32, measured: undefined };
  const measured = await roundedTo(basis, variant, layers);
  const stands = (one: Measured | undefined): one is Measured =>
    one !== undefined &&
    holds({ ...variant, measured: one, drop: dropBetween(bench, basis.fp32.detections, one.detections) });
  // A plan that fails without rounding is not mended by FP32.
  if (measured !== undefined && (!holds(variant) || stands(measured))) return { plan: safe, fp32, measured };
  const why =
    measured === undefined
      ? 'FP16 makes the output infinite on the validation images'
      : 'rounded to FP16 the plan fails';
  let kept: Measured | undefined;
  const fewest = await fewestNeeded(layers, MOST_TRIALS, async (needed) => {
    if (expired()) return false;
    const rest = layers.filter((layer) => !needed.includes(layer));
    const found = await roundedTo(basis, variant, rest);
    if (!stands(found)) return false;
    kept = found;
    return true;
  });
  const names = fewest.map(({ name }) => name);
  return {
    plan: withFp32(safe, names),
    fp32: new Map([...fp32, ...names.map((name) => [name, why] as const)]),
    measured: kept,
  };
}

/**
 * Leaves out of a list what is not needed: halves of it, quarters … and single members, as long as trials are left.
 * @param holds - whether what is left suffices; the whole list does
 */
export async function fewestNeeded<T>(
  all: readonly T[],
  trials: number,
  holds: (left: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let left = all;
  let tried = 0;
  for (
    let size = Math.ceil(all.length / 2);
    size >= 1 && left.length > 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  )
    for (let end = left.length; end > 0 && tried < trials; end -= size) {
      const fewer = left.filter((_, i) => i < end - size || i >= end);
      if (fewer.length === 0 || fewer.length === left.length) continue;
      tried++;
      if (await holds(fewer)) left = fewer;
    }
  return left;
}

function withFp32(plan: PrecisionPlan, names: readonly string[]): PrecisionPlan {
  return { ...plan, layers: { ...plan.layers, ...Object.fromEntries(names.map((name) => [name, 'fp32'])) } };
}

/** Layers whose inputs or outputs on the calibration images, or whose weights, are beyond FP16. */
async function overflowing(
  { bench, statistics }: Basis,
  layers: readonly Layer[],
): Promise<ReadonlyMap<string, string>> {
  const { graph, engine, context, calibration } = bench;
  const tensorsOf = ({ nodes }: Layer): readonly string[] =>
    nodes.flatMap((index) => {
      const node = graph.nodes[index];
      return [...(node?.inputs ?? []), ...(node?.outputs ?? [])].filter(
        (name) => name !== '' && graph.isFloat(name) && graph.constant(name) === undefined,
      );
    });
  const unseen = [...new Set(layers.flatMap(tensorsOf))].filter((name) => !statistics.has(name));
  const seen =
    unseen.length === 0
      ? statistics
      : new Map([
          ...statistics,
          ...(await engine.collect(modelOf(bench, 'FP32', bench.bytes), unseen, feedOf(bench, calibration), {
            signal: context.signal,
          })),
        ]);
  return new Map(
    layers.flatMap((layer): (readonly [string, string])[] => {
      const tensor = tensorsOf(layer).find((name) => {
        const one = seen.get(name);
        return one !== undefined && Math.max(-one.min, one.max) > HALF_MAX;
      });
      if (tensor !== undefined)
        return [
          [layer.name, `${tensor} is beyond 65504, where FP16 ends, on the calibration images`] as const,
        ];
      const weight = layer.nodes
        .flatMap((index) => graph.nodes[index]?.inputs ?? [])
        .find((name) => {
          const constant = graph.constant(name);
          return (
            constant?.dataType === TensorProto_DataType.FLOAT &&
            tensorToFloats(constant).some((value) => Math.abs(value) > HALF_MAX)
          );
        });
      return weight === undefined
        ? []
        : [[layer.name, `its weights ${weight} are beyond 65504, where FP16 ends`]];
    }),
  );
}

/** The variant with these layers rounded to FP16; undefined when its outputs are not finite. */
async function roundedTo(
  { bench, reference }: Basis,
  { model, measured }: Variant,
  layers: readonly Layer[],
): Promise<Measured | undefined> {
  const names = new Set(
    layers.flatMap(({ nodes }) => nodes.map((index) => bench.graph.nodes[index]?.name ?? '')),
  );
  const bytes = encodeModel(throughHalf(model.proto, bench.graph, names));
  try {
    return await measure(
      bench,
      `the plan with ${layers.length} layers rounded to FP16`,
      bytes,
      measured.weightBytes,
      reference,
    );
  } catch (error) {
    // What cannot be decoded is a result here: the caller says so and chooses FP32.
    if (error instanceof InputFault) return undefined;
    throw error;
  }
}
