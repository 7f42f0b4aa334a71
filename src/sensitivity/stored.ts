import { DetectionBuilder, detectionNumbers, type GroundTruth } from '../dataset/index.js';
import type { HostTensor, Probe, ProbeImage, ProbeOutcome } from '../engine/index.js';
import { Interrupted } from '../faults/index.js';
import type { Graph } from '../onnx/index.js';
import { boundaryOf } from './boundary.js';
import { planCandidates, type Candidate, type Candidates, type Question } from './candidates.js';
import { Gathered } from './gathered.js';
import { groupLayers, type LayerGroup } from './groups.js';
import { Recall, type Seen, type SweepMemory } from './memory.js';
import { canCut, cutRegions } from './regions.js';
import type { SweepInput, SweepRow } from './sweep.js';

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
  /** What former sweeps measured; nothing is kept when left out. */
  readonly memory?: SweepMemory;
  /** Told how many measurements are known already, and how many there are at most: once for the ranking, once for what explains it. */
  readonly onKnown?: (known: number, most: number) => void;
}

/** Images that each question is asked of. The ranking alone needs them all. */
const IMAGES: Readonly<Record<Question, number>> = { on: Infinity, off: 8, weights: 4, activations: 4 };
/** Images whose every layer's own output is looked at. */
const OBSERVED = IMAGES.off;
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
 * Results equal those of running every candidate whole, but for groups that need no further image. They do not depend on
 * threads, nor on what was interrupted: images come in rounds, and groups are left alone between rounds only.
 */
export async function sweepStored(input: StoredSweepInput): Promise<readonly SweepRow[]> {
  const { feed } = input;
  const groups = groupLayers(input.graph, input.layers);
  if (groups.length === 0) return [];
  const plan = await plannerOf(input, groups);
  const gathered = new Gathered(input, groups);
  const ranking = plan(['on']);
  const recall = await Recall.open(input.memory, ranking.float);
  await ask(input, ranking, recall, gathered, roundsOf(feed.count));
  if (input.questions.length > 0) {
    const few = Math.min(feed.count, Math.max(...input.questions.map((question) => IMAGES[question])));
    const explaining = plan(input.questions, gathered.worst(input.explained));
    await ask(input, explaining, recall, gathered, [[0, few]]);
  }
  return gathered.rows();
}

type Planner = (questions: readonly Question[], only?: ReadonlySet<number>) => Candidates;

async function plannerOf(input: StoredSweepInput, groups: readonly LayerGroup[]): Promise<Planner> {
  const { graph, layers, reference, signal } = input;
  const heads = reference.heads;
  const regions = cutRegions(graph, layers, input.work, new Set(heads));
  const boundary = await boundaryOf(input, regions);
  const tick = (): void => {
    if (signal.aborted) throw new Interrupted();
  };
  return (questions, only) =>
    planCandidates({
      ...{ ...input, groups, regions, boundary, heads, tick, questions },
      ...(only !== undefined && { only }),
    });
}

/**
 * Measures the images of a share for a ranking that another run puts together from the memory. Groups that could be left
 * alone once others have been seen are measured too: this run does not see those.
 */
export async function sweepShare(
  input: StoredSweepInput,
  hasImage: (image: number) => boolean,
): Promise<void> {
  const groups = groupLayers(input.graph, input.layers);
  if (groups.length === 0) return;
  const ranking = (await plannerOf(input, groups))(['on']);
  const recall = await Recall.open(input.memory, ranking.float);
  const { count } = input.feed;
  await withProbe(input, ranking, (probe) =>
    new RoundOfImages(input, ranking, recall, new Gathered(input, groups), [0, count]).run(
      probe,
      count,
      hasImage,
    ),
  );
}

/** From and to; groups are left alone from one round to the next. */
type Round = readonly [from: number, to: number];

/** Short, and shorter at first, when much can be left alone; the threads wait for each other only between rounds. */
function roundsOf(count: number): readonly Round[] {
  const rounds: Round[] = [];
  for (let from = 0; from < count;) {
    const to = Math.min(count, from + Math.max(FIRST, Math.floor(from / 4)));
    rounds.push([from, to]);
    from = to;
  }
  return rounds;
}

/** Images of the first round: fewer say nothing of the spread between images. */
const FIRST = 4;

async function ask(
  input: StoredSweepInput,
  candidates: Candidates,
  recall: Recall,
  gathered: Gathered,
  rounds: readonly Round[],
): Promise<void> {
  tellKnown(input, candidates, recall, rounds.at(-1)?.[1] ?? 0);
  await withProbe(input, candidates, async (probe) => {
    for (const [from, to] of rounds) {
      const round = new RoundOfImages(input, candidates, recall, gathered, [from, to]);
      await round.run(probe, rounds.at(-1)?.[1] ?? to);
      round.deliver();
    }
  });
}

/** Makes the sessions when they are first asked for: where all is known, none are. */
async function withProbe(
  { engine }: StoredSweepInput,
  { program }: Candidates,
  job: (open: () => Promise<Probe>) => Promise<void>,
): Promise<void> {
  let probe: Promise<Probe> | undefined;
  try {
    await job(() => (probe ??= (engine.probe as NonNullable<typeof engine.probe>).call(engine, program)));
  } finally {
    // One that could not be made was told by who asked for it.
    await (await probe?.catch(() => undefined))?.release();
  }
}

function tellKnown(
  { onKnown }: StoredSweepInput,
  { candidates }: Candidates,
  recall: Recall,
  images: number,
): void {
  if (onKnown === undefined) return;
  let [known, most] = [0, 0];
  for (const { question, digest } of candidates)
    for (let image = 0; image < Math.min(images, IMAGES[question]); image++) {
      most++;
      if (recall.seen(image, digest, image < OBSERVED) !== undefined) known++;
    }
  onKnown(known, most);
}

/** What of one image is asked, and what is known of it. */
interface Asked {
  readonly image: number;
  readonly observed: boolean;
  readonly candidates: readonly Candidate[];
  readonly seen: Map<Candidate, Seen>;
}

class RoundOfImages {
  private readonly asked: readonly Asked[];
  private readonly byIndex: ReadonlyMap<number, Candidate>;

  constructor(
    private readonly input: StoredSweepInput,
    private readonly plan: Candidates,
    private readonly recall: Recall,
    private readonly gathered: Gathered,
    [from, to]: Round,
  ) {
    this.byIndex = new Map(plan.candidates.map((one) => [one.index, one]));
    const open = plan.candidates.filter(
      ({ question, group }) => question !== 'on' || !gathered.settled.has(group),
    );
    this.asked = Array.from({ length: to - from }, (_, i) => {
      const [image, observed] = [from + i, from + i < OBSERVED];
      const wanted = open.filter(({ question }) => image < IMAGES[question]);
      const known = wanted.flatMap((one) => {
        const seen = recall.seen(image, one.digest, observed);
        return seen === undefined ? [] : [[one, seen] as const];
      });
      return { image, observed, candidates: wanted, seen: new Map(known) };
    });
  }

  /** Runs what is not known, of the images that are wanted. */
  async run(
    open: () => Promise<Probe>,
    total: number,
    wants: (image: number) => boolean = () => true,
  ): Promise<void> {
    const { feed, signal, onProgress } = this.input;
    const lacking = this.asked.filter((one) => wants(one.image) && !this.isKnown(one));
    if (lacking.length === 0) return;
    const probe = await open();
    const at = (i: number): Asked => lacking[i] as Asked;
    const before = (this.asked.at(-1)?.image ?? 0) + 1 - lacking.length;
    const extras = feed.extras?.bind(feed);
    await probe.run(
      {
        spec: feed.spec,
        count: lacking.length,
        image: (i) => feed.image(at(i).image),
        ...(extras !== undefined && { extras: (i, image) => extras(at(i).image, image) }),
      },
      (i) => at(i).observed,
      (i) => {
        const { candidates, seen } = at(i);
        return candidates.filter((one) => !seen.has(one)).map(({ index }) => index);
      },
      (i, result) => this.add(at(i), result),
      { signal, onProgress: (done) => onProgress(before + done, total) },
    );
  }

  /** Hands all on, image by image. */
  deliver(): void {
    const { recall, plan, gathered } = this;
    for (const { image, observed, candidates, seen } of this.asked) {
      const ranks = candidates.some(({ question }) => question === 'on');
      if (ranks) gathered.addFloat(image, recalled(recall.float(image, observed) ?? this.floats.get(image)));
      if (plan.int8 !== undefined) gathered.addBase(recalled(this.base(image, plan.int8)));
      for (const one of candidates) gathered.add(one, image, recalled(seen.get(one)));
    }
    gathered.settle();
  }

  private readonly floats = new Map<number, Float64Array>();
  private readonly bases = new Map<number, ReturnType<Recall['base']>>();

  private base(image: number, digest: string): ReturnType<Recall['base']> {
    return this.recall.base(image, digest) ?? this.bases.get(image);
  }

  private isKnown({ image, observed, candidates, seen }: Asked): boolean {
    const { recall, plan } = this;
    return (
      seen.size === candidates.length &&
      recall.float(image, observed) !== undefined &&
      (plan.int8 === undefined || recall.base(image, plan.int8) !== undefined)
    );
  }

  /** Keeps what the engine made of an image, at once, so that an interruption does not lose it. */
  private add({ image, observed, seen }: Asked, { bases, cases }: ProbeImage): void {
    const { recall, plan } = this;
    const [float, int8] = bases;
    const boxes = this.boxes(image, (float as ProbeImage['bases'][number]).outputs) ?? new Float64Array(0);
    this.floats.set(image, boxes);
    recall.keepFloat(image, observed, boxes);
    if (int8 !== undefined && plan.int8 !== undefined) {
      this.bases.set(image, int8);
      recall.keepBase(image, plan.int8, int8);
    }
    for (const outcome of cases) {
      const candidate = this.byIndex.get(outcome.case) as Candidate;
      const one = this.seenOf(image, candidate, outcome);
      seen.set(candidate, one);
      recall.keep(image, candidate.digest, observed, one);
    }
  }

  private seenOf(image: number, { question }: Candidate, { heads, local, outputs }: ProbeOutcome): Seen {
    // Boxes are looked at in the ranking alone.
    const boxes = question === 'on' ? this.boxes(image, outputs) : new Float64Array(0);
    return { heads, local, boxes };
  }

  private boxes(image: number, outputs: ReadonlyMap<string, HostTensor>): Float64Array | undefined {
    const table = new DetectionBuilder();
    return this.input.decode(table, image, outputs) ? detectionNumbers(table.finish()) : undefined;
  }
}

function recalled<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a measurement of the sweep is missing');
  return value;
}
