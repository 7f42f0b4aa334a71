import { createHash } from 'node:crypto';
import type { Ranges } from '../calibration/index.js';
import type { ProbeBase, ProbeCase, ProbeProgram } from '../engine/index.js';
import type { Graph, Model, ModelProto } from '../onnx/index.js';
import { quantize, type OperatorScope, type PrecisionPlan } from '../quantization/index.js';
import { bypass } from './bypass.js';
import type { LayerGroup } from './groups.js';
import { Networks, type Network } from './networks.js';
import type { Boundary } from './parts.js';
import type { Region } from './regions.js';

/** What is asked about a group.
 * - `on`: everything float, this group in INT8
 * - `off`: everything in INT8, this group float
 * - `weights`, `activations`: as `on`, but only that side is quantized
 */
export type Question = 'on' | 'off' | 'weights' | 'activations';

/** A case of the program and what it asks. */
export interface Candidate {
  readonly group: number;
  readonly question: Question;
  /** Index into the program's cases. */
  readonly index: number;
  /** Of everything that its outcome on an image depends on, but the image. */
  readonly digest: string;
}

/** A program with the meaning of its cases. */
export interface Candidates {
  readonly program: ProbeProgram;
  readonly candidates: readonly Candidate[];
  /** Of the float network: structure and weights, whatever they are called outside. */
  readonly float: string;
  /** Of the network in INT8, with the tensors observed in it; undefined when nothing is asked of it. */
  readonly int8: string | undefined;
}

/** What candidates are made from. */
export interface CandidateInput {
  readonly model: Model;
  readonly graph: Graph;
  readonly groups: readonly LayerGroup[];
  readonly scope: OperatorScope;
  readonly ranges: Ranges;
  readonly regions: readonly Region[];
  readonly boundary: Boundary;
  readonly heads: readonly string[];
  readonly questions: readonly Question[];
  /** Indexes of the groups that are asked about; all when left out. */
  readonly only?: ReadonlySet<number>;
  /** Called before each candidate is made; may throw to stop. */
  readonly tick?: () => void;
}

/**
 * Writes the program: two bases (float, and everything in INT8 when `off` is asked), and a case for each group and
 * question that runs only what differs from its base, and what lies behind it.
 */
export function planCandidates(input: CandidateInput): Candidates {
  const { model, graph, groups, questions } = input;
  const writer = new ProgramWriter(input);
  const ends = groups.map(({ end }) => end);
  // Not the model as it came: one of an old operator set is raised when it is quantized.
  const float = writer.base(quantize(model, planFor(input, 'fp32'), input.ranges).proto, ends);
  const int8 = questions.includes('off')
    ? writer.base(quantize(model, planFor(input, 'int8'), input.ranges).proto, ends)
    : undefined;
  const candidates: Candidate[] = [];
  groups.forEach((group, g) => {
    if (input.only?.has(g) === false) return;
    const names = group.layers.map(({ name }) => name);
    const on = quantize(model, planFor(input, 'fp32', names), input.ranges).proto;
    // A bias that is corrected for both sides would blame each for what the other does.
    const uncorrected = (): ModelProto =>
      model.biasShifts === undefined
        ? on
        : quantize({ ...model, biasShifts: new Map() }, planFor(input, 'fp32', names), input.ranges).proto;
    for (const question of questions) {
      input.tick?.();
      const base = question === 'off' ? (int8 as Base) : float;
      const proto =
        question === 'on'
          ? on
          : question === 'off'
            ? quantize(model, planFor(input, 'int8', names), input.ranges).proto
            : bypass(uncorrected(), question === 'weights' ? 'activation' : 'weight');
      const local = question === 'on' ? group.end : undefined;
      candidates.push({ group: g, question, ...writer.candidate(proto, base, local) });
    }
  });
  return {
    candidates,
    float: float.digest,
    int8: int8?.digest,
    program: {
      models: writer.networks.models,
      inputs: writer.networks.inputs,
      cases: writer.cases,
      bases: [float, ...(int8 === undefined ? [] : [int8])].map(({ plain, observing }) => ({
        plain,
        observing,
      })),
      heads: input.heads,
      outputs: graph.outputs,
      observed: int8 === undefined ? [] : ends,
    },
  };
}

function planFor(
  { scope }: CandidateInput,
  otherwise: 'int8' | 'fp32',
  names: readonly string[] = [],
): PrecisionPlan {
  const switched = otherwise === 'int8' ? 'fp32' : 'int8';
  return {
    version: 1,
    operators: scope,
    default: otherwise,
    layers: Object.fromEntries(names.map((name) => [name, switched])),
  };
}

interface Base extends Network, ProbeBase {
  readonly index: number;
  /** Of all its parts with their weights. */
  readonly digest: string;
}

class ProgramWriter {
  readonly networks: Networks;
  readonly cases: ProbeCase[] = [];
  private bases = 0;

  constructor(private readonly input: CandidateInput) {
    this.networks = new Networks({ ...input, wanted: [...input.heads, ...input.graph.outputs] });
  }

  base(proto: ModelProto, ends: readonly string[]): Base {
    const { networks } = this;
    const { regions, graph, heads } = this.input;
    const network = networks.network(proto);
    const observing = regions.map((region) => {
      const inside = new Set(region.nodes);
      const own = ends.filter((name) => inside.has(graph.producerOf(name)?.index ?? -1));
      return networks.write(network.finder, network.finder.part(region, own));
    });
    const contents = network.plain.map((model) => networks.content(model));
    return {
      ...network,
      index: this.bases++,
      digest: digestOf([...contents, heads, graph.outputs, ends]),
      observing,
    };
  }

  /** Adds a case. */
  candidate(proto: ModelProto, base: Base, local: string | undefined): Pick<Candidate, 'index' | 'digest'> {
    const { networks } = this;
    const { regions, graph } = this.input;
    const maker = local === undefined ? -1 : (graph.producerOf(local)?.index ?? -1);
    const replaced = networks.replaced(base, proto, ({ nodes }) =>
      local !== undefined && nodes.includes(maker) ? [local] : [],
    );
    const measured = replaced.some(({ region }) => regions[region]?.nodes.includes(maker));
    const steps = networks.steps(base, replaced);
    this.cases.push({ base: base.index, steps, local: measured ? local : undefined });
    const changed = replaced.map(({ region, model }) => [region, networks.content(model)]);
    return { index: this.cases.length - 1, digest: digestOf([base.digest, changed, local ?? null]) };
  }
}

function digestOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
