import { DetectionBuilder, pickImages, type DetectionTable, type GroundTruth } from '../dataset/index.js';
import type { HostTensor, Power, ProbeImage, ProbeOutcome } from '../engine/index.js';
import { evaluateCoco, outputDistances, pairedBootstrap } from '../evaluation/index.js';
import { Interrupted } from '../faults/index.js';
import type { Graph } from '../onnx/index.js';
import { planCandidates, type Candidate, type Question } from './candidates.js';
import { boundaryOf } from './boundary.js';
import { groupLayers, type LayerGroup } from './groups.js';
import { canCut, cutRegions } from './regions.js';
import { rank, type SweepInput, type SweepRow } from './sweep.js';
import { rankIntervals, settled, sqnrOf } from './tally.js';

/** What a sweep from stored activations needs beside what the plain one does. */
export interface StoredSweepInput extends Omit<SweepInput, 'scorer' | 'baseline'> {
  readonly graph: Graph;
  /** Multiply-accumulates by layer name. */
  readonly work: ReadonlyMap<string, number>;
  /** Boxes of the subset. */
  readonly truth: GroundTruth;
  /** Adds one image's detections; false when the outputs cannot be decoded. */
  readonly decode: (
    table: DetectionBuilder,
    image: number,
    outputs: ReadonlyMap<string, HostTensor>,
  ) => boolean;
  /** What is asked beside the ranking, and of how many of the worst groups. */
  readonly questions: readonly Exclude<Question, 'on'>[];
  readonly explained: number;
  /** Groups that see every image; others may be left alone once they are surely less sensitive. */
  readonly keep: number;
  readonly seed: number;
  /** Groups whose fall of mAP gets an interval. */
  readonly intervals: number;
}

/** Images that each question is asked of. The ranking alone needs them all. */
const IMAGES: Readonly<Record<Question, number>> = { on: Infinity, off: 8, weights: 4, activations: 4 };
/** Images whose every layer's own output is looked at. */
const OBSERVED = IMAGES.off;
/** Resamples and level of the interval of a group's fall of mAP. */
const RESAMPLES = 200;
const CONFIDENCE = 0.9;

/** True when a model can be swept from stored activations; else each candidate runs whole. */
export function canSweepStored({
  engine,
  model,
  graph,
  feed,
}: Pick<StoredSweepInput, 'engine' | 'model' | 'graph' | 'feed'>): boolean {
  const batch = graph.shape(graph.inputs[0] ?? '')?.[0] ?? -1;
  // Tensors of a Q/DQ file come and go with the layers that are switched: it cannot be cut at them.
  return (
    model.quantized === undefined &&
    engine.probe !== undefined &&
    canCut(graph) &&
    feed.count > 0 &&
    batch <= 1
  );
}

/**
 * Ranks groups of layers by what INT8 does to the output, starting each candidate at the part of the network that it
 * changes, from float activations of that image. Sessions are made once for parts, not once a candidate for the whole.
 * Results equal those of running every candidate whole, but for groups that need no further image.
 */
export async function sweepStored(input: StoredSweepInput): Promise<readonly SweepRow[]> {
  const { engine, graph, layers, feed, signal } = input;
  const groups = groupLayers(graph, layers);
  if (groups.length === 0) return [];
  const heads = input.reference.heads;
  const regions = cutRegions(graph, layers, input.work, new Set(heads));
  const boundary = await boundaryOf(input, regions);
  const common = { ...input, groups, regions, boundary, heads, tick: () => stopWhenAsked(signal) };
  const tally = new Tally(input, groups);
  const ask = async (questions: readonly Question[], only?: ReadonlySet<number>): Promise<void> => {
    const { program, candidates } = planCandidates({
      ...common,
      questions,
      ...(only !== undefined && { only }),
    });
    const probe = await (engine.probe as NonNullable<typeof engine.probe>).call(engine, program);
    try {
      const count = Math.min(feed.count, Math.max(...questions.map((question) => IMAGES[question])));
      await probe.run(
        { ...feed, count },
        OBSERVED,
        (image) => tally.open(candidates, image),
        (image, result) => tally.add(candidates, image, result),
        { signal, onProgress: input.onProgress },
      );
    } finally {
      await probe.release();
    }
  };
  await ask(['on']);
  if (input.questions.length > 0) await ask(input.questions, tally.worst(input.explained));
  return tally.rows();
}

function stopWhenAsked(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted();
}

/** Gathers what the cases made of each image. */
class Tally {
  private readonly powers: ReadonlyMap<Question, Power[][][]>;
  private readonly local: Power[][];
  private readonly cumulative: Power[][];
  private readonly base: Power[][] = [];
  private readonly tables: (DetectionBuilder | undefined)[];
  private readonly float = new DetectionBuilder();
  private done: ReadonlySet<number> = new Set();

  constructor(
    private readonly input: StoredSweepInput,
    private readonly groups: readonly LayerGroup[],
  ) {
    this.powers = new Map(
      (['on', ...input.questions] as const).map((question) => [question, groups.map(() => [])]),
    );
    this.local = groups.map(() => []);
    this.cumulative = groups.map(() => []);
    this.tables = groups.map(() => new DetectionBuilder());
  }

  /** Cases that this image runs. */
  open(candidates: readonly Candidate[], image: number): readonly number[] {
    return candidates
      .filter(
        ({ question, group }) => image < IMAGES[question] && !(question === 'on' && this.done.has(group)),
      )
      .map(({ index }) => index);
  }

  /** The worst groups of the ranking. */
  worst(count: number): ReadonlySet<number> {
    const sqnr = (this.powers.get('on') ?? []).map((powers) => sqnrOf(powers));
    const order = [...sqnr.keys()].sort((a, b) => ((sqnr[a] as number) < (sqnr[b] as number) ? -1 : 1));
    return new Set(order.slice(0, count));
  }

  add(candidates: readonly Candidate[], image: number, { bases, cases }: ProbeImage): void {
    const [float, int8] = bases;
    if (int8 !== undefined && image < OBSERVED) {
      this.base.push([...int8.heads]);
      int8.observed.forEach((power, g) => this.cumulative[g]?.push(power));
    }
    for (const outcome of cases) {
      const { group, question } = candidates[outcome.case] as Candidate;
      const seen = this.powers.get(question)?.[group] as Power[][];
      // A group that was settled while this image ran stays with the images that it had.
      if (seen.length !== image) continue;
      seen.push([...outcome.heads]);
      if (question === 'on') this.addRanked(group, image, outcome);
    }
    if (candidates[0]?.question !== 'on') return;
    this.input.decode(this.float, image, (float as ProbeImage['bases'][number]).outputs);
    this.done = settled(this.powers.get('on') ?? [], this.input.keep);
  }

  private addRanked(group: number, image: number, { local, outputs }: ProbeOutcome): void {
    if (local !== undefined) this.local[group]?.push(local);
    const table = this.tables[group];
    // A group that makes the output NaN is the worst of all: its SQNR says so, mAP cannot.
    if (table !== undefined && !this.input.decode(table, image, outputs)) this.tables[group] = undefined;
  }

  rows(): readonly SweepRow[] {
    const on = this.powers.get('on') ?? [];
    const places = rankIntervals(on, this.input.seed);
    const float = this.float.finish();
    const rows = rank(
      this.groups.map((group, g) => ({
        layer: group.layers[0] as SweepRow['layer'],
        sqnr: sqnrOf(on[g] as Power[][]),
        mapDrop: undefined,
        detail: { ...this.details(g), group, place: places[g] as SweepDetailPlace },
      })),
    );
    return rows.map((row, i) => this.withDrop(row, float, i < this.input.intervals));
  }

  private details(g: number): Omit<NonNullable<SweepRow['detail']>, 'group' | 'place'> {
    const of = (question: Question): number | undefined => {
      const powers = this.powers.get(question)?.[g];
      return powers === undefined || powers.length === 0 ? undefined : sqnrOf(powers);
    };
    const single = (powers: readonly Power[]): number | undefined =>
      powers.length === 0 ? undefined : sqnrOf(powers.map((power) => [power]));
    const off = of('off');
    return {
      images: (this.powers.get('on')?.[g] ?? []).length,
      weights: of('weights'),
      activations: of('activations'),
      local: single(this.local[g] ?? []),
      cumulative: single(this.cumulative[g] ?? []),
      gain: off === undefined ? undefined : off - sqnrOf(this.base),
      mapLow: undefined,
      mapHigh: undefined,
      boxShift: undefined,
      scoreShift: undefined,
    };
  }

  /** Fall of mAP on the images that the group saw, and how far boxes and scores moved. */
  private withDrop(row: SweepRow, float: DetectionTable, interval: boolean): SweepRow {
    const detail = row.detail as NonNullable<SweepRow['detail']>;
    const table = this.tables[this.groups.indexOf(detail.group)];
    if (table === undefined) return row;
    const first = detail.images;
    const candidate = table.finish();
    const reference = upTo(float, first);
    const truth = pickImages(
      this.input.truth,
      Array.from({ length: first }, (_, i) => i),
    );
    const { boxShift, scoreShift } = outputDistances(reference, candidate);
    const shifted = { ...detail, boxShift, scoreShift };
    if (!interval)
      return {
        ...row,
        mapDrop: evaluateCoco(truth, reference).stats.AP - evaluateCoco(truth, candidate).stats.AP,
        detail: shifted,
      };
    const { map } = pairedBootstrap({
      truth,
      reference,
      candidate,
      resamples: RESAMPLES,
      confidence: CONFIDENCE,
      seed: this.input.seed,
    });
    return { ...row, mapDrop: map.drop, detail: { ...shifted, mapLow: map.low, mapHigh: map.high } };
  }
}

type SweepDetailPlace = NonNullable<SweepRow['detail']>['place'];

/** Detections of the first images. */
function upTo(table: DetectionTable, images: number): DetectionTable {
  const rows = [...table.image.keys()].filter((row) => (table.image[row] as number) < images);
  if (rows.length === table.count) return table;
  const builder = new DetectionBuilder();
  for (const row of rows) {
    const [x, y, w, h] = table.bbox.subarray(4 * row, 4 * row + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    builder.push(
      table.image[row] as number,
      table.category[row] as number,
      x,
      y,
      w,
      h,
      table.score[row] as number,
    );
  }
  return builder.finish();
}
