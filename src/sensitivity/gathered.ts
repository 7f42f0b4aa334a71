import {
  DetectionBuilder,
  pickImages,
  pushNumbers,
  type DetectionTable,
  type GroundTruth,
} from '../dataset/index.js';
import type { Power } from '../engine/index.js';
import { evaluateCoco, outputDistances, pairedBootstrap } from '../evaluation/index.js';
import type { Candidate, Question } from './candidates.js';
import type { LayerGroup } from './groups.js';
import type { Seen, SeenBase } from './memory.js';
import type { StoredSweepInput } from './stored.js';
import { harmOf } from './harm.js';
import { layersBehind } from './sqnr.js';
import { rank, type SweepDetail, type SweepRow } from './sweep.js';
import { orderOf, rankIntervals, settled, sqnrOf } from './tally.js';

/** Resamples and level of the interval of a group's fall of mAP. */
const RESAMPLES = 400;
const CONFIDENCE = 0.9;

/** What a sweep made of the images so far, by group, and the rows that come of it. */
export class Gathered {
  /** Groups that need no further image. */
  settled: ReadonlySet<number> = new Set();
  /** Groups of post-processing, which change boxes and no head tensor. */
  private readonly behind: ReadonlySet<number>;
  private readonly powers: ReadonlyMap<Question, (readonly Power[])[][]>;
  private readonly local: Power[][];
  private readonly cumulative: Power[][];
  private readonly base: (readonly Power[])[] = [];
  private readonly tables: (DetectionBuilder | undefined)[];
  private readonly float = new DetectionBuilder();
  private readonly floatMaps = new Map<number, number>();

  constructor(
    private readonly input: StoredSweepInput,
    private readonly groups: readonly LayerGroup[],
  ) {
    this.powers = new Map(
      (['on', ...input.questions] as const).map((question) => [question, groups.map(() => [])]),
    );
    const behind = layersBehind(input.graph, input.layers, input.reference.heads);
    this.behind = new Set(
      [...groups.keys()].filter((g) => groups[g]?.layers.every(({ name }) => behind.has(name))),
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

  /** Looks which groups need no further image. Of one behind the head SQNR knows nothing, and it costs little. */
  settle(): void {
    const still = settled(this.powers.get('on') ?? [], this.input.keep);
    this.settled = new Set([...still].filter((group) => !this.behind.has(group)));
  }

  rows(): readonly SweepRow[] {
    const on = this.powers.get('on') ?? [];
    const float = this.float.finish();
    const drops = this.groups.map((group, g) => this.dropOf(g, float));
    const sqnr = on.map((powers) => sqnrOf(powers));
    const behind = new Map(
      [...this.behind].map((g) => [g, harmOf({ sqnr: Infinity, mapDrop: drops[g]?.mapDrop })]),
    );
    const places = rankIntervals(on, this.input.seed, { behind });
    const rows = this.groups.map((group, g) => {
      const { mapDrop, boxShift, scoreShift } = drops[g] as Drop;
      const detail = {
        ...this.details(g),
        group,
        place: places[g] as SweepDetailPlace,
        boxShift,
        scoreShift,
      };
      return { layer: group.layers[0] as SweepRow['layer'], sqnr: sqnr[g] as number, mapDrop, detail };
    });
    return rank(rows).map((row, i) => (i < this.input.intervals ? this.withInterval(row, float) : row));
  }

  private details(g: number): Omit<SweepDetail, 'group' | 'place' | 'boxShift' | 'scoreShift'> {
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
    };
  }

  /** Fall of mAP on the images that the group saw, and how far boxes and scores moved. */
  private dropOf(g: number, float: DetectionTable): Drop {
    const seen = this.detectionsOf(g, float);
    if (seen === undefined) return { mapDrop: undefined, boxShift: undefined, scoreShift: undefined };
    const { truth, reference, candidate } = seen;
    const { boxShift, scoreShift } = outputDistances(reference, candidate);
    const mapDrop = this.floatMap(truth, reference) - evaluateCoco(truth, candidate).stats.AP;
    return { mapDrop, boxShift, scoreShift };
  }

  /** mAP of the float network on the first images, which many groups have in common. */
  private floatMap(truth: GroundTruth, reference: DetectionTable): number {
    const images = truth.images.length;
    const known = this.floatMaps.get(images) ?? evaluateCoco(truth, reference).stats.AP;
    this.floatMaps.set(images, known);
    return known;
  }

  private withInterval(row: SweepRow, float: DetectionTable): SweepRow {
    const detail = row.detail as SweepDetail;
    const seen = this.detectionsOf(this.groups.indexOf(detail.group), float);
    if (seen === undefined) return row;
    const { seed } = this.input;
    const { map } = pairedBootstrap({ ...seen, resamples: RESAMPLES, confidence: CONFIDENCE, seed });
    return { ...row, mapDrop: map.drop, detail: { ...detail, mapLow: map.low, mapHigh: map.high } };
  }

  /** Undefined where an image's outputs could not be decoded. */
  private detectionsOf(
    g: number,
    float: DetectionTable,
  ):
    | { readonly truth: GroundTruth; readonly reference: DetectionTable; readonly candidate: DetectionTable }
    | undefined {
    const candidate = this.tables[g]?.finish();
    if (candidate === undefined) return undefined;
    const images = (this.powers.get('on')?.[g] ?? []).length;
    const all = Array.from({ length: images }, (_, i) => i);
    return { truth: pickImages(this.input.truth, all), reference: upTo(float, images), candidate };
  }
}

type Drop = Pick<SweepRow, 'mapDrop'> & Pick<SweepDetail, 'boxShift' | 'scoreShift'>;
type SweepDetailPlace = SweepDetail['place'];

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
