import { nodeStructure, weightsDigest, type GraphNode } from '../onnx/index.js';
import { elementsMoved, resolvePlan, withMacs, type Layer } from '../quantization/index.js';
import type { Finding, LayerRow } from '../report/index.js';
import type { SweepDetail, SweepRow } from '../sensitivity/index.js';
import { layerTimes, type LayerTime } from './engine-times.js';
import type { Found } from './run.js';

/** What the table is made from. */
type Source = Pick<Found, 'bench' | 'rows' | 'int8' | 'mixed' | 'statistics' | 'ranges' | 'confirmation'>;

/** JSON knows no infinities. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The table that people read: worst first. */
export function layerRows(source: Source, findings: readonly Finding[]): LayerRow[] {
  const { bench, rows = [], int8, mixed, statistics } = source;
  const layers = new Map(withMacs(bench.layers, bench.graph, statistics).map((layer) => [layer.name, layer]));
  const total = [...layers.values()].reduce((sum, { macs }) => sum + (macs ?? 0), 0);
  const moved = new Map(
    [...layers.values()].map((layer) => [layer.name, elementsMoved(layer, bench.graph, statistics)]),
  );
  const allBytes = [...moved.values()].reduce<number>((sum, one) => sum + (one ?? 0), 0);
  const precision = resolvePlan((mixed ?? int8).plan, bench.layers);
  const timeOf = engineTimes(source, [...layers.values()]);
  return rows.map((row, i) => {
    const { layer, sqnr, mapDrop, detail } = row;
    const members = detail?.group.layers ?? [layer];
    const macs = members.reduce<number | undefined>((sum, { name }) => add(sum, layers.get(name)?.macs), 0);
    const bytes = members.reduce<number | undefined>((sum, { name }) => add(sum, moved.get(name)), 0);
    const cause = causeOf(members, detail, findings);
    return {
      rank: i + 1,
      name: layer.name,
      opType: layer.opType,
      depth: layer.depth,
      sqnr: finite(sqnr),
      mapDrop: mapDrop === undefined ? null : finite(mapDrop),
      macShare: macs === undefined || total === 0 ? null : macs / total,
      byteShare: bytes === undefined || allBytes === 0 ? null : bytes / allBytes,
      parameters: members.reduce((sum, { parameters }) => sum + parameters, 0),
      precision: precision.get(layer.name) ?? 'int8',
      head: layer.head,
      structure: nodeStructure(bench.graph, bench.graph.nodes[layer.nodes[0] as number] as GraphNode),
      weights: weightsDigest(
        bench.graph,
        members.flatMap(({ nodes }) => nodes.map((index) => bench.graph.nodes[index] as GraphNode)),
      ),
      reads: readsOf(members, source),
      ...(detail !== undefined && detailsOf(row, detail)),
      ...timeOf(members),
      ...(cause !== undefined && { cause }),
    };
  });
}

/** How long layers take in the judged engine and in FP16; nothing where no engine was built or it tells no layers. */
function engineTimes(
  { bench: { graph }, confirmation }: Source,
  layers: readonly Layer[],
): (members: readonly Layer[]) => Pick<LayerRow, 'engine'> {
  const planned = layers.map(({ name, nodes, macs = 0 }) => ({
    name,
    macs,
    nodes: nodes.map((index) => graph.nodes[index]?.name ?? ''),
  }));
  const timesOf = (...variants: string[]): ReadonlyMap<string, LayerTime> => {
    const found = variants.map((name) => confirmation?.engines.find(({ variant }) => variant === name));
    return layerTimes(found.find((one) => one !== undefined)?.details.layers ?? [], planned);
  };
  const [own, half] = [timesOf('mixed', 'int8'), timesOf('fp16')];
  return (members) => {
    const times = members.flatMap(({ name }) => own.get(name) ?? []);
    const [longest] = [...times].sort((a, b) => b.ms - a.ms);
    if (longest === undefined) return {};
    const halves = members.flatMap(({ name }) => half.get(name) ?? []);
    const sum = (all: readonly LayerTime[]): number => all.reduce((total, { ms }) => total + ms, 0);
    return {
      engine: { ms: sum(times), got: longest.got, fp16Ms: halves.length === 0 ? null : sum(halves) },
    };
  };
}

function add(sum: number | undefined, macs: number | undefined): number | undefined {
  return sum === undefined || macs === undefined ? undefined : sum + macs;
}

function detailsOf({ layer }: SweepRow, detail: SweepDetail): Partial<LayerRow> {
  const others = detail.group.layers.map(({ name }) => name).filter((name) => name !== layer.name);
  const db = (value: number | undefined, key: string) =>
    value === undefined ? {} : { [key]: finite(value) };
  const { boxShift, scoreShift } = detail;
  return {
    images: detail.images,
    place: { ...detail.place },
    ...(others.length > 0 && { together: others }),
    ...(boxShift !== undefined && { boxShift }),
    ...(scoreShift !== undefined && { scoreShift }),
    ...db(detail.mapLow, 'mapDropLow'),
    ...db(detail.mapHigh, 'mapDropHigh'),
    ...db(detail.weights, 'weightsSqnr'),
    ...db(detail.activations, 'activationsSqnr'),
    ...db(detail.local, 'localSqnr'),
    ...db(detail.cumulative, 'cumulativeSqnr'),
    ...db(detail.gain, 'gain'),
  };
}

/** Ranges as calibrated, and the scale that the fully quantized model uses where it quantizes the tensor. */
function readsOf(members: readonly Layer[], { int8, ranges }: Source): NonNullable<LayerRow['reads']> {
  const scales = new Map(int8.model.scales.map((record) => [record.tensor, record.scale[0] as number]));
  return [...new Set(members.flatMap(({ activations }) => activations))].flatMap((tensor) => {
    const amax = ranges.get(tensor)?.amax;
    return amax === undefined ? [] : [{ tensor, amax, scale: scales.get(tensor) ?? amax / 127 }];
  });
}

/** One side is at fault when the other alone is this much better, dB. */
const CLEARLY = 6;

function causeOf(
  members: readonly Layer[],
  detail: SweepDetail | undefined,
  findings: readonly Finding[],
): string | undefined {
  const named = new Set(members.flatMap(({ name, activations }) => [name, ...activations]));
  const known = findings.find(
    ({ subject, layers: concerned, severity }) =>
      named.has(subject) || (severity !== 'info' && concerned?.some((one) => named.has(one)) === true),
  );
  if (known !== undefined) return known.kind;
  const { weights, activations } = detail ?? {};
  if (weights === undefined || activations === undefined) return undefined;
  if (activations < weights - CLEARLY) return 'range of its input';
  return weights < activations - CLEARLY ? 'its weights' : 'weights and input alike';
}
