import { readFile } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';
import type { EngineLayer } from '../engine/index.js';
import type { LatencyProfile } from '../sensitivity/index.js';
import type { Confirmation } from './confirm.js';

const FIX = 'Take the profile.json of a run with real engines, or leave sensitivity.profile out.';

/** Reads what {@link formatProfile} wrote. @throws InputFault naming the file and what is wrong with it. */
export async function readProfile(file: string): Promise<LatencyProfile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new InputFault({ where: file, what: `cannot be read: ${messageOf(cause)}`, fix: FIX }, { cause });
  }
  return parseProfile(value, file);
}

/** @throws InputFault naming the key. */
export function parseProfile(value: unknown, file: string): LatencyProfile {
  const fault = (key: string, what: string): InputFault =>
    new InputFault({ where: `${file} ${key}`, what, fix: FIX });
  if (!isRecord(value) || value.version !== 1) throw fault('version', 'must be 1');
  const { layers, reformatMs } = value;
  if (!isMs(reformatMs)) throw fault('reformatMs', 'must be milliseconds, 0 or more');
  if (!isRecord(layers) || Object.keys(layers).length === 0)
    throw fault('layers', 'must map layer names to { int8Ms, floatMs }');
  return {
    reformatMs,
    layers: new Map(
      Object.entries(layers).map(([name, one]) => {
        if (!isRecord(one) || !isMs(one.int8Ms) || !isMs(one.floatMs))
          throw fault(`layers["${name}"]`, 'must hold int8Ms and floatMs, milliseconds, 0 or more');
        return [name, { int8Ms: one.int8Ms, floatMs: one.floatMs }] as const;
      }),
    ),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMs(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** The text of a profile file. */
export function formatProfile(profile: LatencyProfile, gpu: string): string {
  const { layers, reformatMs } = profile;
  return `${JSON.stringify({ version: 1, gpu, reformatMs, layers: Object.fromEntries(layers) }, null, 2)}\n`;
}

/**
 * What a run's own engines tell of each layer: in float by the FP16 engine, in INT8 by the INT8 engine. A kernel that
 * several of the plan's layers were fused into is shared out evenly among them. Layers that the INT8 engine runs in
 * float (their plan says so, or there is no kernel) have no time in INT8 and are left out.
 */
export function profileOf(
  { engines }: Pick<Confirmation, 'engines'>,
  names: readonly string[],
): LatencyProfile | undefined {
  const layersOf = (variant: string): readonly EngineLayer[] | undefined =>
    engines.find((one) => one.variant === variant)?.details.layers;
  const [float, int8] = [layersOf('fp16'), layersOf('int8')];
  if (float === undefined || int8 === undefined) return undefined;
  const known = new Set(names);
  const floatMs = timesOf(float, known, () => true);
  const int8Ms = timesOf(int8, known, ({ precision }) => precision === 'int8');
  const both = names.flatMap((name) => {
    const [a, b] = [int8Ms.get(name), floatMs.get(name)];
    return a === undefined || b === undefined ? [] : [[name, { int8Ms: a, floatMs: b }] as const];
  });
  if (both.length === 0) return undefined;
  const reformats = int8.filter(({ reformat, ms }) => reformat && ms !== undefined);
  const sum = reformats.reduce((total, { ms }) => total + (ms ?? 0), 0);
  return { layers: new Map(both), reformatMs: reformats.length === 0 ? 0 : sum / reformats.length };
}

function timesOf(
  layers: readonly EngineLayer[],
  known: ReadonlySet<string>,
  counts: (layer: EngineLayer) => boolean,
): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const layer of layers) {
    if (layer.reformat || layer.ms === undefined || !counts(layer)) continue;
    const mine = layer.nodes.filter((node) => known.has(node));
    for (const name of mine) times.set(name, (times.get(name) ?? 0) + layer.ms / mine.length);
  }
  return times;
}
