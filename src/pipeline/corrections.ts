import type { Ranges } from '../calibration/index.js';
import { encodeModel, type Model } from '../onnx/index.js';
import {
  biasProbe,
  equalizationPairs,
  equalize,
  equalizedTensors,
  quantize,
  type EqualizationPairs,
  type PrecisionPlan,
} from '../quantization/index.js';
import { headTensors, referenceOutputs, SqnrMeter, type ReferenceOutputs } from '../sensitivity/index.js';
import type { ImageStore } from '../dataset/index.js';
import { modelOf } from './measure.js';
import { feedOf, type Bench } from './prepare.js';

/** A correction of the network that was tried, or was not and why. */
export interface Correction {
  readonly kind: 'bias-correction' | 'equalization';
  readonly applied: boolean;
  /** Layers (or pairs of layers) that it changes, or would have changed. */
  readonly count: number;
  /** dB of the INT8 network's raw head outputs on images held back, without and with it; undefined where nothing was tried. */
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** Why it was refused, for a person; undefined when applied. */
  readonly reason: string | undefined;
}

/** Gain that is worth a change of the network, dB: less is chance. */
const WORTH_DB = 0.1;
/** Images that means are taken over: means settle long before extremes do. */
const MEAN_IMAGES = 32;

/** Measures INT8 networks on the calibration images held back. */
export interface HeldBackMeter {
  /** dB of the raw head outputs against FP32. */
  sqnr(model: Model, ranges: Ranges): Promise<number>;
}

/** Runs FP32 over the images held back once. */
export async function heldBackMeter(bench: Bench, plan: PrecisionPlan): Promise<HeldBackMeter> {
  const heads = headTensors(bench.graph);
  const feed = feedOf(bench, bench.heldBack);
  const { signal } = bench.context;
  const run = async <T>(
    name: string,
    bytes: Uint8Array,
    job: (session: Loaded) => Promise<T>,
  ): Promise<T> => {
    const session = await bench.engine.load(modelOf(bench, name, bytes), { extraOutputs: heads, lean: true });
    try {
      return await job(session);
    } finally {
      await session.release();
    }
  };
  const reference: ReferenceOutputs = await run('FP32', bench.bytes, (session) =>
    referenceOutputs(session, heads, feed, signal),
  );
  return {
    sqnr: (model, ranges) =>
      run('INT8', encodeModel(quantize(model, plan, ranges).proto), async (session) => {
        const meter = new SqnrMeter(reference);
        await session.run(feed, (i, outputs) => meter.add(i, outputs), { signal });
        return meter.sqnr();
      }),
  };
}

type Loaded = Awaited<ReturnType<Bench['engine']['load']>>;

/** What corrected a model, and the model. */
export interface Corrected {
  readonly model: Model;
  readonly correction: Correction;
}

/**
 * Empirical bias correction (Nagel et al. 2019, section 4.2): the mean error of each output channel of a layer in INT8, over
 * calibration images, is taken off its bias. A layer keeps its correction only if it also lowers the error of the means on
 * images held back, and all of them only if the head's SQNR rises there.
 */
export async function correctBiases(bench: Bench, ranges: Ranges, meter: HeldBackMeter): Promise<Corrected> {
  const { model, settings } = bench;
  const none = (reason: string, found: Partial<Correction> = {}): Corrected => ({
    model,
    correction: {
      kind: 'bias-correction',
      applied: false,
      count: 0,
      before: undefined,
      after: undefined,
      reason,
      ...found,
    },
  });
  if (settings.quantization.operators === 'all')
    return none(
      'with `operators: all` what follows a convolution is rounded too, which its bias cannot make up for',
    );
  const probe = biasProbe(model, settings.quantization.operators, ranges);
  if (probe.outputs.size === 0) return none('no layer has a bias that could be corrected');
  const bytes = encodeModel(probe.proto);
  const fitted = await meanErrors(bench, bytes, probe.outputs, bench.calibration, notHeldBack(bench));
  const held = await meanErrors(bench, bytes, probe.outputs, bench.heldBack);
  const biasShifts = new Map(
    [...fitted].flatMap(([layer, error]) => {
      const there = held.get(layer) as Float64Array;
      const helps = squares(there.map((one, c) => one - (error[c] as number))) < squares(there);
      return helps ? [[layer, Float32Array.from(error, (one) => -one)] as const] : [];
    }),
  );
  const count = biasShifts.size;
  if (count === 0) return none('on images held back no layer gains from it');
  const corrected = { ...model, biasShifts };
  const before = await meter.sqnr(model, ranges);
  const after = await meter.sqnr(corrected, ranges);
  if (!(after - before >= WORTH_DB))
    return none('the output gains nothing from it on images held back', { count, before, after });
  return {
    model: corrected,
    correction: { kind: 'bias-correction', applied: true, count, before, after, reason: undefined },
  };
}

function squares(values: Float64Array): number {
  return values.reduce((sum, one) => sum + one * one, 0);
}

/** Indexes of calibration images that are not held back, {@link MEAN_IMAGES} at most, evenly spread. */
export function notHeldBack({ calibration, heldBack }: Bench): readonly number[] {
  const held = new Set(heldBack.records.map(({ file }) => file));
  const others = calibration.records.flatMap(({ file }, i) => (held.has(file) ? [] : [i]));
  const count = Math.min(MEAN_IMAGES, others.length);
  return Array.from({ length: count }, (_, i) => others[Math.floor((i * others.length) / count)] as number);
}

/** Mean over images of what a probe's outputs say, by layer. */
async function meanErrors(
  bench: Bench,
  bytes: Uint8Array,
  outputs: ReadonlyMap<string, string>,
  store: ImageStore,
  indexes: readonly number[] = Array.from({ length: store.count }, (_, i) => i),
): Promise<ReadonlyMap<string, Float64Array>> {
  const count = indexes.length;
  const sums = new Map<string, Float64Array>();
  const session = await bench.engine.load(modelOf(bench, 'INT8 beside FP32', bytes), { lean: true });
  try {
    await session.run(
      feedOf(bench, store, indexes),
      (_i, tensors) => {
        for (const [layer, name] of outputs) {
          const { data } = tensors.get(name) as { data: ArrayLike<number> };
          const sum = sums.get(layer) ?? new Float64Array(data.length);
          for (let c = 0; c < sum.length; c++) sum[c] = (sum[c] as number) + (data[c] as number) / count;
          sums.set(layer, sum);
        }
      },
      { signal: bench.context.signal },
    );
  } finally {
    await session.release();
  }
  return sums;
}

/** The equalized model, or why there is none; whoever asks must calibrate the tensors that it changed, and compare. */
export function equalizeModel({
  model,
  graph,
}: Bench):
  { readonly model: Model; readonly pairs: number; readonly tensors: ReadonlySet<string> } | Correction {
  const found = equalizationPairs(graph);
  if (found.pairs.length === 0) return refusedEqualization(found);
  return {
    model: equalize(model, graph, found.pairs),
    pairs: found.pairs.length,
    tensors: equalizedTensors(graph, found.pairs),
  };
}

function refusedEqualization({ refused }: EqualizationPairs): Correction {
  const words = refused.slice(0, 3).map(({ reason, convolutions }) => `${convolutions} before ${reason}`);
  return {
    kind: 'equalization',
    applied: false,
    count: 0,
    before: undefined,
    after: undefined,
    reason: `the network has no pair of convolutions with only operators between them that commute with factors of channels: ${words.join(', ')}`,
  };
}

/** What an equalized network came to, calibrated like the original. */
export function judgeEqualization(pairs: number, before: number, after: number): Correction {
  const applied = after - before >= WORTH_DB;
  return {
    kind: 'equalization',
    applied,
    count: pairs,
    before,
    after,
    reason: applied ? undefined : 'the output gains nothing from it on images held back',
  };
}
