import { createHash } from 'node:crypto';
import type { Ranges } from '../calibration/index.js';
import type { Engine, HostTensor, ImageFeed } from '../engine/index.js';
import { encodeModel, type Model } from '../onnx/index.js';
import { quantize, type Layer, type OperatorScope } from '../quantization/index.js';
import { Interrupted } from '../faults/index.js';
import { packNumbers, unpackNumbers, type Shelf } from '../store/index.js';
import type { LayerGroup } from './groups.js';
import { harmOf } from './harm.js';
import { SqnrMeter, type ReferenceOutputs } from './sqnr.js';
import type { RankInterval } from './tally.js';

/** What one layer (or group) does to the output when it alone runs in INT8. */
export interface SweepRow {
  /** The layer, or the first of its group. */
  readonly layer: Layer;
  /** dB against FP32; Infinity when nothing changed. */
  readonly sqnr: number;
  /** Fall of mAP50-95 on the subset; undefined when it could not be measured. */
  readonly mapDrop: number | undefined;
  /** What a sweep from stored activations finds beside. */
  readonly detail?: SweepDetail;
}

/** Why a group is where it is. All SQNR in dB; undefined where it was not asked or could not be measured. */
export interface SweepDetail {
  readonly group: LayerGroup;
  /** Images that the ranking saw; fewer than all when the group was surely harmless. */
  readonly images: number;
  /** Places that it takes in the middle 80 % of rankings on resampled images. */
  readonly place: RankInterval;
  /** With only weights, or only activations, in INT8. */
  readonly weights: number | undefined;
  readonly activations: number | undefined;
  /** Of the group's own output when its input is exact: the error that it makes. */
  readonly local: number | undefined;
  /** Of the group's own output when everything runs in INT8: the error that it shows. */
  readonly cumulative: number | undefined;
  /** What the output gains, in dB, when everything but this group runs in INT8. */
  readonly gain: number | undefined;
  /** Interval of the fall of mAP. */
  readonly mapLow: number | undefined;
  readonly mapHigh: number | undefined;
  /** Mean 1 − IoU, and mean change of score, of matched boxes. */
  readonly boxShift: number | undefined;
  readonly scoreShift: number | undefined;
}

/** What a sweep needs. */
export interface SweepInput {
  readonly engine: Engine;
  readonly model: Model;
  readonly layers: readonly Layer[];
  readonly scope: OperatorScope;
  readonly ranges: Ranges;
  readonly reference: ReferenceOutputs;
  readonly feed: ImageFeed;
  /** Collects detections of the subset and answers their mAP50-95. */
  readonly scorer: () => Scorer;
  /** mAP50-95 of FP32 on the subset. */
  readonly baseline: number;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
  /** Results of former sweeps on the same images, annotations, decoder and engine, by digest of the candidate. */
  readonly shelf?: Shelf;
}

/** Decodes and scores the subset for one candidate. */
export interface Scorer {
  add(index: number, outputs: ReadonlyMap<string, HostTensor>): void;
  /** mAP50-95; undefined when the outputs could not be decoded. */
  map(): number | undefined;
}

/** One layer in INT8 at a time, everything else float: worst first, ties along the network's depth. */
export async function sweep(input: SweepInput): Promise<readonly SweepRow[]> {
  const { layers } = input;
  const rows: SweepRow[] = [];
  let prepared = prepare(input, layers[0]);
  for (let i = 0; i < layers.length; i++) {
    if (input.signal.aborted) throw new Interrupted();
    const bytes = prepared;
    const running = measureLayer(input, layers[i] as Layer, bytes as Uint8Array);
    // The next candidate is written while this one runs; a fault of it is told at its own turn.
    running.catch(() => undefined);
    prepared = prepare(input, layers[i + 1]);
    rows.push(await running);
    input.onProgress(i + 1, layers.length);
  }
  return rank(rows);
}

/** Worst first, by {@link harmOf}; ties along the network's depth. */
export function rank(rows: readonly SweepRow[]): readonly SweepRow[] {
  return [...rows].sort((a, b) => compare(harmOf(b), harmOf(a)) || a.layer.depth - b.layer.depth);
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function prepare({ model, scope, ranges }: SweepInput, layer: Layer | undefined): Uint8Array | undefined {
  if (layer === undefined) return undefined;
  const plan = { version: 1, operators: scope, default: 'fp32', layers: { [layer.name]: 'int8' } } as const;
  return encodeModel(quantize(model, plan, ranges).proto);
}

async function measureLayer(input: SweepInput, layer: Layer, bytes: Uint8Array): Promise<SweepRow> {
  const { shelf, baseline } = input;
  const digest = createHash('sha256').update(bytes).digest('hex');
  const known = unpackNumbers(shelf?.get(digest));
  const [sqnr, map] =
    known === undefined
      ? await runLayer(input, layer, bytes)
      : [known[0] as number, known.length > 1 ? known[1] : undefined];
  if (known === undefined) shelf?.put(digest, packNumbers(map === undefined ? [sqnr] : [sqnr, map]));
  return { layer, sqnr, mapDrop: map === undefined ? undefined : baseline - map };
}

async function runLayer(
  input: SweepInput,
  layer: Layer,
  bytes: Uint8Array,
): Promise<readonly [sqnr: number, map: number | undefined]> {
  const { engine, model, reference, feed, signal } = input;
  const session = await engine.load(
    { name: `${model.name} with ${layer.name} in INT8`, bytes },
    { extraOutputs: reference.heads },
  );
  try {
    const meter = new SqnrMeter(reference);
    const scorer = input.scorer();
    await session.run(
      feed,
      (i, outputs) => {
        meter.add(i, outputs);
        scorer.add(i, outputs);
      },
      { signal },
    );
    return [meter.sqnr(), scorer.map()];
  } finally {
    await session.release();
  }
}
