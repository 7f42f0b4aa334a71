import { createHash } from 'node:crypto';
import type { EngineModel } from '../engine/index.js';
import { encodeModel, type Model, type ModelProto, type TensorProto } from '../onnx/index.js';
import { PartFinder, partDigest, type Boundary, type Part } from './parts.js';
import type { Region } from './regions.js';

/** A whole network, cut into regions. */
export interface Network {
  readonly finder: PartFinder;
  /** Of what each region computes. */
  readonly digests: readonly string[];
  /** Models of the regions. */
  readonly plain: readonly number[];
}

/** A region in which a candidate differs from its network, and the model that takes its place. */
export interface Replaced {
  readonly region: number;
  readonly model: number;
}

/** What networks are cut by. */
export interface NetworkInput {
  /** The float model: its weights are shared by reference with those quantized from it. */
  readonly model: Model;
  readonly regions: readonly Region[];
  readonly boundary: Boundary;
  /** Tensors that a run is asked for. */
  readonly wanted: readonly string[];
}

/** Bytes of the models that run all behind a change at once. Each thread makes sessions of them, which take as much again. */
const TAIL_BYTES = 192 * 2 ** 20;

/**
 * Models of a probe's program. What lies behind the last region that a candidate replaces runs as one model, its tail:
 * every tensor that regions hand over costs a conversion between the engine's layouts, a third of the time all in all.
 * Candidates that replace the same region share a tail.
 */
export class Networks {
  readonly models: EngineModel[] = [];
  /** The network's own inputs. */
  readonly inputs: readonly string[];
  private readonly known = new Map<string, number>();
  private readonly shared: ReadonlySet<TensorProto>;
  private readonly tails = new Map<Network, Tails>();
  private readonly contents = new Map<number, string>();

  constructor(
    private readonly input: NetworkInput,
    private readonly budget = TAIL_BYTES,
  ) {
    this.shared = new Set(input.model.proto.graph?.initializer);
    const made = new Set(input.regions.flatMap(({ outputs }) => outputs));
    const read = new Set(input.regions.flatMap(({ inputs }) => inputs));
    this.inputs = [...read].filter((name) => !made.has(name));
  }

  network(proto: ModelProto): Network {
    const finder = new PartFinder(proto);
    const parts = this.input.regions.map((region) => finder.part(region));
    return {
      finder,
      digests: parts.map((part) => partDigest(part, this.shared)),
      plain: parts.map((part) => this.write(finder, part)),
    };
  }

  /** Regions in which `proto` differs from a network. @param extra further outputs of a region's model */
  replaced(
    network: Network,
    proto: ModelProto,
    extra: (region: Region) => readonly string[] = () => [],
  ): readonly Replaced[] {
    const finder = new PartFinder(proto);
    return this.input.regions.flatMap((region, r) =>
      partDigest(finder.part(region), this.shared) === network.digests[r]
        ? []
        : [{ region: r, model: this.write(finder, finder.part(region, extra(region))) }],
    );
  }

  /** What runs where some regions are replaced: these, and all that lies behind a tensor that they change. */
  steps(network: Network, replaced: readonly Replaced[]): readonly number[] {
    const models = new Map(replaced.map(({ region, model }) => [region, model]));
    const last = replaced.at(-1)?.region ?? -1;
    const touched = touchedBy(this.input.regions, models);
    const plain = (r: number): number => models.get(r) ?? (network.plain[r] as number);
    const front = touched.filter((r) => r <= last);
    const tails = this.tails.get(network) ?? new Tails(this, this.input, network, this.budget);
    this.tails.set(network, tails);
    return [...front.map(plain), ...tails.steps(touched.filter((r) => r > last))];
  }

  /** SHA-256 of a model's bytes. */
  content(model: number): string {
    const digest =
      this.contents.get(model) ??
      createHash('sha256')
        .update(this.models[model]?.bytes ?? new Uint8Array())
        .digest('hex');
    this.contents.set(model, digest);
    return digest;
  }

  /** The index of a part's model; written once. */
  write(finder: PartFinder, part: Part): number {
    const digest = `${partDigest(part, this.shared)} ${part.outputs.join(' ')}`;
    const known = this.known.get(digest);
    if (known !== undefined) return known;
    const index = this.add(finder, part);
    this.known.set(digest, index);
    return index;
  }

  add(finder: PartFinder, part: Part): number {
    const { model, boundary } = this.input;
    return this.models.push({ name: model.name, bytes: encodeModel(finder.model(part, boundary)) }) - 1;
  }
}

/** Regions that are replaced or read, however far behind, what a replaced one makes; ascending. */
function touchedBy(regions: readonly Region[], replaced: ReadonlyMap<number, unknown>): readonly number[] {
  const changed = new Set<string>();
  return regions.flatMap(({ inputs, outputs }, r) => {
    if (!replaced.has(r) && !inputs.some((name) => changed.has(name))) return [];
    for (const name of outputs) changed.add(name);
    return [r];
  });
}

/** Models of several regions of one network at once. */
class Tails {
  private readonly known = new Map<string, number>();
  /** A tail may start at every so many regions: at each where memory allows. */
  private readonly stride: number;
  private bytes = 0;

  constructor(
    private readonly networks: Networks,
    private readonly input: NetworkInput,
    private readonly network: Network,
    private readonly budget: number,
  ) {
    const { regions } = input;
    const size = (r: number): number => networks.models[network.plain[r] as number]?.bytes.length ?? 0;
    const all = regions.reduce(
      (sum, _, r) =>
        touchedBy(regions, new Map([[r, 0]])).reduce((own, behind) => own + size(behind), sum - size(r)),
      0,
    );
    this.stride = Math.max(1, Math.ceil(all / budget));
  }

  /** Models that run these regions, which are all that lies behind some change. */
  steps(regions: readonly number[]): readonly number[] {
    const start = regions.findIndex((r, i) => r % this.stride === 0 && regions.length - i > 1);
    const tail = start < 0 ? undefined : this.tail(regions.slice(start));
    const single = (tail === undefined ? regions : regions.slice(0, start)).map(
      (r) => this.network.plain[r] as number,
    );
    return tail === undefined ? single : [...single, tail];
  }

  /** Undefined when it would take more memory than there is for it. */
  private tail(regions: readonly number[]): number | undefined {
    const key = regions.join(' ');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const { networks, network, input } = this;
    const size = regions.reduce(
      (sum, r) => sum + (networks.models[network.plain[r] as number]?.bytes.length ?? 0),
      0,
    );
    if (this.bytes + size > this.budget) return undefined;
    this.bytes += size;
    const parts = regions.map((r) => input.regions[r] as Region);
    const made = new Set(parts.flatMap(({ outputs }) => outputs));
    const index = networks.add(
      network.finder,
      network.finder.part({
        inputs: [...new Set(parts.flatMap(({ inputs }) => inputs))].filter((name) => !made.has(name)),
        outputs: [...new Set(input.wanted)].filter((name) => made.has(name)),
        nodes: parts.flatMap(({ nodes }) => nodes),
      }),
    );
    this.known.set(key, index);
    return index;
  }
}
