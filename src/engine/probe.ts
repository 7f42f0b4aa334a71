import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Power, ProbeCase, ProbeImage, ProbeProgram } from './probe-types.js';
import type { HostTensor } from './types.js';

type Tensors = ReadonlyMap<string, Tensor>;

/** A program as a worker gets it: bytes of models in shared memory. */
export type ProbePlan = Omit<ProbeProgram, 'models'> & { readonly models: readonly Uint8Array[] };

/** What running needs of the worker. */
export interface ProbeHost {
  /** The session of a model, by index; made when it is first asked for. */
  session(model: number): Promise<InferenceSession>;
  toHost(tensor: Tensor): HostTensor;
  /** Told of bytes that a run handed out. */
  spent(bytes: number): void;
}

/** One image through all bases and the given cases. `inputs` are the network's own. */
export async function probeImage(
  plan: ProbePlan,
  { cases, observe }: { readonly cases: readonly number[]; readonly observe: boolean },
  inputs: Tensors,
  host: ProbeHost,
): Promise<ProbeImage> {
  const bases: Map<string, Tensor>[] = [];
  for (const base of plan.bases)
    bases.push(await runBase(plan, observe ? base.observing : base.plain, inputs, host));
  const reference = bases[0] as Tensors;
  const signals = new Map<Tensor, number>();
  const powerOf = (expected: Tensor, actual: Tensor): Power => {
    const signal = signals.get(expected) ?? squares(expected.data as Float32Array);
    signals.set(expected, signal);
    return { signal, noise: noiseOf(expected, actual) };
  };
  const outcomes: ProbeImage['cases'][number][] = [];
  for (const index of cases) {
    const one = plan.cases[index] as ProbeCase;
    const base = bases[one.base] as Tensors;
    const changed = await runCase(plan, one, base, host);
    const now = (name: string): Tensor => tensorOf(name, changed, base);
    outcomes.push({
      case: index,
      heads: plan.heads.map((name) => powerOf(tensorOf(name, reference), now(name))),
      local:
        one.local === undefined || !observe ? undefined : powerOf(tensorOf(one.local, base), now(one.local)),
      outputs: hostTensors(plan.outputs, now, host),
    });
  }
  return {
    bases: bases.map((tensors, i) => ({
      outputs: hostTensors(plan.outputs, (name) => tensorOf(name, tensors), host),
      heads: plan.heads.map((name) => powerOf(tensorOf(name, reference), tensorOf(name, tensors))),
      observed:
        i === 0 || !observe
          ? []
          : plan.observed.map((name) => powerOf(tensorOf(name, reference), tensorOf(name, tensors))),
    })),
    cases: outcomes,
  };
}

async function runBase(
  plan: ProbePlan,
  models: readonly number[],
  inputs: Tensors,
  host: ProbeHost,
): Promise<Map<string, Tensor>> {
  const tensors = new Map(inputs);
  for (const model of models) await step(model, [tensors], tensors, host);
  return tensors;
}

async function runCase(plan: ProbePlan, one: ProbeCase, base: Tensors, host: ProbeHost): Promise<Tensors> {
  const changed = new Map<string, Tensor>();
  for (const model of one.steps) await step(model, [changed, base], changed, host);
  return changed;
}

async function step(
  model: number,
  from: readonly Tensors[],
  to: Map<string, Tensor>,
  host: ProbeHost,
): Promise<void> {
  const session = await host.session(model);
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, tensorOf(name, ...from)]));
  for (const [name, tensor] of Object.entries(await session.run(feeds))) {
    to.set(name, tensor);
    host.spent((tensor.data as { readonly byteLength?: number }).byteLength ?? 0);
  }
}

function tensorOf(name: string, ...from: readonly Tensors[]): Tensor {
  for (const tensors of from) {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensor;
  }
  throw new Error(`no part makes tensor ${name}`);
}

function hostTensors(
  names: readonly string[],
  of: (name: string) => Tensor,
  host: ProbeHost,
): ReadonlyMap<string, HostTensor> {
  return new Map(
    names.map((name) => {
      const tensor = host.toHost(of(name));
      // A copy: what is handed over leaves this thread, and the next case may need the original.
      return [name, { ...tensor, data: tensor.data.slice() }];
    }),
  );
}

/** Sum of squared differences, in float64. */
function noiseOf(reference: Tensor, actual: Tensor): number {
  if (reference === actual) return 0;
  const expected = reference.data as Float32Array;
  const values = actual.data as Float32Array;
  let noise = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = (expected[i] as number) - (values[i] as number);
    noise += d * d;
  }
  return noise;
}

/** In float64. */
function squares(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return sum;
}
