import {
  quantizationError,
  type RangeCandidate,
  type Ranges,
  type TensorStatistics,
} from '../calibration/index.js';
import { Interrupted } from '../faults/index.js';
import type { Engine, ImageFeed, Power, Probe, ProbeCase, ProbeProgram } from '../engine/index.js';
import type { Graph, Model, ModelProto } from '../onnx/index.js';
import { placeQuantizers, quantize, type Layer, type OperatorScope } from '../quantization/index.js';
import { bypassWhere } from './bypass.js';
import { boundaryOf, type Boundary } from './boundary.js';
import { Networks, type Network } from './networks.js';
import { cutRegions, type Region } from './regions.js';
import { canSweepStored } from './stored.js';
import { headTensors } from './sqnr.js';
import { sqnrOf } from './tally.js';

/** What one candidate does to a group of tensors that share a scale. */
export interface CandidateError {
  readonly calibrator: string;
  /** Range of the group: the largest of its tensors'. */
  readonly amax: number;
  /** dB of the raw head outputs when this group alone is quantized; Infinity when nothing changed, undefined where it cannot be measured. */
  readonly sqnr: number | undefined;
  /** Images that it was measured on; fewer than others have when it was surely worse. */
  readonly images: number;
}

/** The calibrator of tensors that share a scale, and why. */
export interface CalibratorChoice {
  /** Tensors that get Q/DQ under this scale. */
  readonly tensors: readonly string[];
  /** Tensors whose ranges the scale covers. */
  readonly members: readonly string[];
  readonly calibrator: string;
  /** Why: `output` = least error of the network's output; `local` = the output does not tell, least error of the tensor itself. */
  readonly by: 'output' | 'local';
  /** In the order of the candidates; candidates with nearly the same range share a measurement. */
  readonly errors: readonly CandidateError[];
}

/** What choosing needs. */
export interface ChoiceInput {
  readonly engine: Engine;
  readonly model: Model;
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  readonly scope: OperatorScope;
  /** Multiply-accumulates by layer name. */
  readonly work: ReadonlyMap<string, number>;
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
  readonly candidates: readonly RangeCandidate[];
  /** Images that the ranges were not taken from. */
  readonly feed: ImageFeed;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

/** Ranges that differ by less than this share are measured once. */
const SAME = 0.01;
/** Images that every candidate sees; how far behind its group's best one may be after them; and how many go on. */
const FIRST = 2;
const BEHIND_DB = 6;
const FINALISTS = 4;
/** Cases of one program: what bounds the memory for their models. */
const CASES = 32;

interface Group {
  readonly tensors: readonly string[];
  readonly members: readonly string[];
  readonly amax: readonly number[];
}

/** Tensors that share a scale, in the order of the graph, with the range that each candidate gives them. */
function groupsOf({ graph, scope, layers, candidates }: ChoiceInput): readonly Group[] {
  const { covers } = placeQuantizers(graph, scope, layers);
  const groups = new Map<string, { tensors: string[]; members: readonly string[] }>();
  for (const [tensor, members] of covers) {
    const key = members.join('\n');
    const group = groups.get(key) ?? { tensors: [], members };
    group.tensors.push(tensor);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ tensors, members }) => ({
    tensors,
    members,
    amax: candidates.map(({ ranges }) =>
      members.reduce((most, name) => Math.max(most, ranges.get(name)?.amax ?? 0), 0),
    ),
  }));
}

/** By candidate: the first candidate whose range is nearly the same, which is measured for both. */
function measuredFor({ amax }: Group): readonly number[] {
  return amax.map((mine) => amax.findIndex((other) => Math.abs(other - mine) <= SAME * mine));
}

/** A candidate's range on one group. */
class Trial {
  /** By image, by head tensor. */
  readonly powers: Power[][] = [];

  constructor(
    readonly group: number,
    readonly candidate: number,
  ) {}

  /** dB. */
  sqnr(): number {
    return sqnrOf(this.powers);
  }
}

/**
 * Chooses a calibrator for each group of tensors that share a scale: with every candidate the group alone is quantized,
 * and the error of the raw head outputs measured, on images that the ranges were not taken from. Errors of different
 * tensors are nearly independent, so that the least for each is nearly the least for all. Two images part the hopeless
 * candidates from the others, which see all images.
 *
 * The error of the tensor itself would not do: of a tensor whose channels differ a thousandfold it sees the loudest
 * channel alone, and a depthwise convolution behind it needs the others as much.
 */
export async function chooseCalibrators(input: ChoiceInput): Promise<readonly CalibratorChoice[]> {
  const groups = groupsOf(input);
  const measured = groups.map(measuredFor);
  const trials = canSweepStored(input)
    ? measured.flatMap((firsts, group) =>
        [...new Set(firsts)].map((candidate) => new Trial(group, candidate)),
      )
    : [];
  const cut = trials.length === 0 ? undefined : await cutOf(input);
  if (cut !== undefined) {
    const few = Math.min(FIRST, input.feed.count);
    await measureTrials(input, cut, groups, trials, [0, few]);
    await measureTrials(input, cut, groups, promising(trials), [few, input.feed.count]);
  }
  const sqnr = new Map(trials.map((trial) => [`${trial.group} ${trial.candidate}`, trial]));
  return groups.map((group, g) => {
    const errors = input.candidates.map(({ name }, c): CandidateError => {
      const trial = sqnr.get(`${g} ${measured[g]?.[c]}`);
      return {
        calibrator: name,
        amax: group.amax[c] as number,
        sqnr: trial?.sqnr(),
        images: trial?.powers.length ?? 0,
      };
    });
    return choose(input, group, errors);
  });
}

/** The chosen range of every tensor; a tensor that no group covers, which only explains others, keeps the first candidate's. */
export function chosenRanges(
  candidates: readonly RangeCandidate[],
  choices: readonly CalibratorChoice[],
): Ranges {
  const by = new Map(candidates.map(({ name, ranges }) => [name, ranges]));
  const chosen = new Map(candidates[0]?.ranges);
  for (const { members, calibrator } of choices)
    for (const tensor of members) {
      const range = by.get(calibrator)?.get(tensor);
      if (range !== undefined) chosen.set(tensor, range);
    }
  return chosen;
}

/** Of each group the trials that are not far behind its best. */
function promising(trials: readonly Trial[]): readonly Trial[] {
  const byGroup = new Map<number, Trial[]>();
  for (const trial of trials) byGroup.set(trial.group, [...(byGroup.get(trial.group) ?? []), trial]);
  return [...byGroup.values()].flatMap((own) => {
    const sorted = [...own].sort((a, b) => b.sqnr() - a.sqnr());
    const best = (sorted[0] as Trial).sqnr();
    return sorted.slice(0, FINALISTS).filter((one) => one === sorted[0] || one.sqnr() > best - BEHIND_DB);
  });
}

function choose(
  { statistics }: ChoiceInput,
  { tensors, members }: Group,
  errors: readonly CandidateError[],
): CalibratorChoice {
  // Who saw fewer images was left behind, whatever those two images said.
  const most = Math.max(...errors.map(({ images }) => images));
  const ahead = errors.filter(({ images }) => images === most);
  const best = Math.max(...ahead.map(({ sqnr }) => sqnr ?? -Infinity));
  const told = errors.some(({ sqnr }) => sqnr !== errors[0]?.sqnr);
  const tied = told ? ahead.filter(({ sqnr }) => sqnr === best) : errors;
  const local = ({ amax }: CandidateError): number =>
    members.reduce((sum, name) => {
      const one = statistics.get(name);
      return one === undefined ? sum : sum + quantizationError(one, amax) * one.count;
    }, 0);
  const least = tied.reduce((a, b) => (local(b) < local(a) ? b : a));
  return { tensors, members, calibrator: least.calibrator, by: told ? 'output' : 'local', errors };
}

/** The network in parts. */
interface Cut {
  readonly heads: readonly string[];
  readonly regions: readonly Region[];
  readonly boundary: Boundary;
  /** Everything in INT8, by candidate. */
  readonly quantized: readonly ModelProto[];
}

async function cutOf(input: ChoiceInput): Promise<Cut> {
  const { graph, layers, work, scope } = input;
  const heads = headTensors(graph);
  const regions = inFront(cutRegions(graph, layers, work, new Set(heads)), heads);
  const everything = { version: 1, operators: scope, default: 'int8', layers: {} } as const;
  return {
    heads,
    regions,
    boundary: await boundaryOf(input, regions),
    quantized: input.candidates.map(({ ranges }) => quantize(input.model, everything, ranges).proto),
  };
}

/** Adds what the trials make of images from…to. */
async function measureTrials(
  input: ChoiceInput,
  cut: Cut,
  groups: readonly Group[],
  trials: readonly Trial[],
  [from, to]: readonly [number, number],
): Promise<void> {
  if (from >= to) return;
  const { feed, signal, onProgress } = input;
  const later = { ...feed, count: to - from, image: (i: number) => feed.image(from + i) };
  for (let start = 0; start < trials.length; start += CASES) {
    const some = trials.slice(start, start + CASES);
    const probe = await openProbe(input, cut, groups, some);
    try {
      await probe.run(
        later,
        () => false,
        () => [...some.keys()],
        (_image, { cases }) => cases.forEach((one) => some[one.case]?.powers.push([...one.heads])),
        { signal, onProgress: (done, all) => onProgress(start + (some.length * done) / all, trials.length) },
      );
    } finally {
      await probe.release();
    }
  }
}

/** A probe with a case for each trial. By itself, so that models are in memory once, in what the engine's threads share. */
function openProbe(
  { engine, model, signal }: ChoiceInput,
  cut: Cut,
  groups: readonly Group[],
  trials: readonly Trial[],
): Promise<Probe> {
  const writer = new CaseWriter(cut, model);
  for (const { group, candidate } of trials) {
    if (signal.aborted) throw new Interrupted();
    const own = new Set(groups[group]?.tensors);
    writer.add(bypassWhere(cut.quantized[candidate] as ModelProto, (tensor) => !own.has(tensor)));
  }
  return (engine.probe as NonNullable<typeof engine.probe>).call(engine, writer.program());
}

/** Regions that head tensors depend on: post-processing is left out. */
function inFront(regions: readonly Region[], heads: readonly string[]): readonly Region[] {
  const wanted = new Set(heads);
  const kept = [...regions].reverse().flatMap((region): Region[] => {
    const outputs = region.outputs.filter((name) => wanted.has(name));
    if (outputs.length === 0) return [];
    for (const name of region.inputs) wanted.add(name);
    return [{ ...region, outputs }];
  });
  return kept.reverse();
}

/** Writes a program whose base is float, and cases that hold what differs from it. */
class CaseWriter {
  private readonly networks: Networks;
  private readonly cases: ProbeCase[] = [];
  private readonly float: Network;

  constructor(
    private readonly cut: Cut,
    model: Model,
  ) {
    this.networks = new Networks({ ...cut, model, wanted: cut.heads });
    // Not the model as it came: one of an old operator set is raised when it is quantized.
    this.float = this.networks.network(bypassWhere(cut.quantized[0] as ModelProto, () => true));
  }

  add(proto: ModelProto): void {
    const { networks, float } = this;
    const steps = networks.steps(float, networks.replaced(float, proto));
    this.cases.push({ base: 0, steps, local: undefined });
  }

  program(): ProbeProgram {
    const { plain } = this.float;
    const { models, inputs } = this.networks;
    return {
      ...{ models, inputs, cases: this.cases, bases: [{ plain, observing: plain }] },
      ...{ heads: this.cut.heads, outputs: [], observed: [] },
    };
  }
}
