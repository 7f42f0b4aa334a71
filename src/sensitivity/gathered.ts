import { DetectionBuilder, pickImages, pushNumbers, type DetectionTable } from '../dataset/index.js';
import type { Power } from '../engine/index.js';
import { evaluateCoco, outputDistances, pairedBootstrap } from '../evaluation/index.js';
import type { Candidate, Question } from './candidates.js';
import type { LayerGroup } from './groups.js';
import type { Seen, SeenBase } from './memory.js';
import type { StoredSweepInput } from './stored.js';
import { rank, type SweepRow } from './sweep.js';
import { orderOf, rankIntervals, settled, sqnrOf } from './tally.js';

/** Resamples and level of the interval of a group's fall of mAP. */
const RESAMPLES = 400;
const CONFIDENCE = 0.9;

/** What a sweep made of the images so far, by group, and the rows that come of it. */
export class Gathered {
  /** Groups that need no further image. */
  settled: ReadonlySet<number> = new Set();
  private readonly powers: ReadonlyMap<Question, (readonly Power[])[][]>;
  private readonly local: Power[][];
  private readonly cumulative: Power[][];
  private readonly base: (readonly Power[])[] = [];
  private readonly tables: (DetectionBuilder | undefined)[];
  private readonly float = new DetectionBuilder();

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

  /** The worst groups of the ranking. */
  worst(count: number): ReadonlySet<number> {
    const sqnr = (this.powers.get('on') ?? []).map((powers) => sqnrOf(powers));
    return new Set(orderOf(sqnr).slice(0, count));
  }

  /** Detections of the float network. */
  addFloat(image: number, boxes: Float64Array): void {
    pushNumbers(this.float, image, boxes);
  }

  /** Everything in INT8. */
  addBase({ heads, observed }: SeenBase): void {
    this.base.push(heads);
    observed.forEach((power, g) => this.cumulative[g]?.push(power));
  }

  /**
   * Images of a group come in their order. One that was left alone for an image stays with the images that it had, even
   * if it would matter again now that others have been seen.
   */
  add({ question, group }: Candidate, image: number, { heads, local, boxes }: Seen): void {
    const seen = this.powers.get(question)?.[group];
    if (seen?.length !== image) return;
    seen.push(heads);
    if (question !== 'on') return;
    if (local !== undefined) this.local[group]?.push(local);
    const table = this.tables[group];
    // A group that makes the output NaN is the worst of all: its SQNR says so, mAP cannot.
    if (boxes === undefined) this.tables[group] = undefined;
    else if (table !== undefined) pushNumbers(table, image, boxes);
  }

  /** Looks which groups need no further image. */
  settle(): void {
    this.settled = settled(this.powers.get('on') ?? [], this.input.keep);
  }

  rows(): readonly SweepRow[] {
    const on = this.powers.get('on') ?? [];
    const places = rankIntervals(on, this.input.seed);
    const float = this.float.finish();
    const rows = rank(
      this.groups.map((group, g) => ({
        layer: group.layers[0] as SweepRow['layer'],
        sqnr: sqnrOf(on[g] as (readonly Power[])[]),
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
  const count = table.image.findLastIndex((image) => image < images) + 1;
  return {
    count,
    image: table.image.subarray(0, count),
    category: table.category.subarray(0, count),
    bbox: table.bbox.subarray(0, 4 * count),
    score: table.score.subarray(0, count),
  };
}
