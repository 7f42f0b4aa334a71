import { readFile } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';
import type { EngineDetails } from '../engine/index.js';
import type { LatencyProfile } from '../sensitivity/index.js';
import type { Confirmation } from './confirm.js';
import { layerTimes, type PlannedLayer } from './engine-times.js';

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

/**
 * The profile, if it tells of this network: layers that ran in float have no time in it, but most that it names must be there.
 * @throws InputFault when most are not
 */
export function profileFor(
  layers: readonly { readonly name: string }[],
  profile: LatencyProfile,
  file: string,
): LatencyProfile {
  const own = new Set(layers.map(({ name }) => name));
  const foreign = [...profile.layers.keys()].filter((name) => !own.has(name));
  if (2 * foreign.length < profile.layers.size) return profile;
  throw new InputFault({
    where: `${file} layers`,
    what: `${foreign.length} of ${profile.layers.size} names are no layers of the model, "${String(foreign[0])}" for one: it is another network's profile`,
    fix: FIX,
  });
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
 * What a run's own engines tell of each layer, by image: in float by the FP16 engine, in INT8 by the INT8 engine. Layers
 * that the INT8 engine runs in float (their plan says so, or there is no kernel) have no time in INT8 and are left out.
 */
export function profileOf(
  { engines }: Pick<Confirmation, 'engines'>,
  planned: readonly PlannedLayer[],
): LatencyProfile | undefined {
  const detailsOf = (variant: string): EngineDetails | undefined =>
    engines.find((one) => one.variant === variant)?.details;
  const [float, int8] = [detailsOf('fp16'), detailsOf('int8')];
  if (float?.layers === undefined || int8?.layers === undefined) return undefined;
  const floatTimes = layerTimes(float.layers, planned);
  const int8Times = layerTimes(int8.layers, planned);
  const both = planned.flatMap(({ name }) => {
    const [a, b] = [int8Times.get(name), floatTimes.get(name)];
    if (a === undefined || b === undefined || a.got !== 'int8') return [];
    return [[name, { int8Ms: a.ms / int8.batch, floatMs: b.ms / float.batch }] as const];
  });
  if (both.length === 0) return undefined;
  const reformats = int8.layers.filter(({ reformat, ms }) => reformat && ms !== undefined);
  const sum = reformats.reduce((total, { ms }) => total + (ms ?? 0), 0);
  return {
    layers: new Map(both),
    reformatMs: reformats.length === 0 ? 0 : sum / reformats.length / int8.batch,
  };
}
