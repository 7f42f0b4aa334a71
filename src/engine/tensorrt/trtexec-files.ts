/**
 * The files that trtexec writes, TensorRT 8.6 to 11 (its samples/common/sampleReporting.cpp): rows of text that look like JSON,
 * with names as they are and numbers of six digits.
 */
import { InputFault, SurroundingsFault, messageOf } from '../../faults/index.js';

/** An output as `--exportOutput` gives it. */
export interface WrittenOutput {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

/**
 * `--exportOutput`: `[{ "name": …, "dimensions": "1x300x6", "values": [ … ] }, …]`. NaN and infinities stand there as C++ prints
 * them, which JSON does not know.
 * @throws SurroundingsFault when it is of another form, or holds fewer numbers than its dimensions say
 */
export function parseOutputs(text: string, file: string): readonly WrittenOutput[] {
  const value = parse(text.replace(/(?<=[[,]\s*)(-?)(nan|inf)(?=\s*[,\]])/g, '"$1$2"'), file);
  if (!Array.isArray(value)) throw odd(file);
  return value.map((one: unknown) => {
    const [name, written, values] = ['name', 'dimensions', 'values'].map((key) => property(one, key));
    if (typeof name !== 'string' || typeof written !== 'string' || !Array.isArray(values)) throw odd(file);
    if (!/^\d+(x\d+)*$/.test(written)) throw odd(file, `${name} has dimensions ${written}`);
    const dims = written.split('x').map(Number);
    const numbers = values.map(numberOf);
    if (dims.reduce((a, b) => a * b, 1) !== numbers.length)
      throw odd(file, `${name} has ${numbers.length} numbers at dimensions ${written}`);
    return { name, dims, values: numbers };
  });
}

function numberOf(value: unknown): number {
  if (value === 'inf') return Infinity;
  if (value === '-inf') return -Infinity;
  return typeof value === 'number' ? value : NaN;
}

/** `--exportTimes`: milliseconds on the GPU of each run after the warm-up. @throws SurroundingsFault when there are none */
export function parseTimes(text: string, file: string): readonly number[] {
  const value = parse(text, file);
  const times = Array.isArray(value) ? value.map((one: unknown) => property(one, 'computeMs')) : [];
  if (times.length === 0 || !times.every((one) => typeof one === 'number' && one >= 0)) throw odd(file);
  return times as number[];
}

/** `--exportProfile`: a row with the count of runs, then a row a layer. The first run, which nothing warms up, spoils the mean. */
export function parseProfile(
  text: string,
  file: string,
): readonly { readonly name: string; readonly ms: number }[] {
  const value = parse(text, file);
  if (!Array.isArray(value)) throw odd(file);
  return value.flatMap((one: unknown) => {
    const [name, ms] = [property(one, 'name'), property(one, 'medianMs') ?? property(one, 'averageMs')];
    return typeof name === 'string' && typeof ms === 'number' ? [{ name, ms }] : [];
  });
}

/** `--exportLayerInfo`: what the engine inspector says. */
export function parseLayerInfo(text: string, file: string): unknown {
  return parse(text, file);
}

/**
 * Version in the first line, `&&&& RUNNING TensorRT.trtexec [TensorRT v100600]`: two digits each for minor and patch from 10 on
 * and in 8.6, whose major has one or two; undefined where it is not there.
 */
export function versionIn(text: string): string | undefined {
  const digits = /\[TensorRT v(\d+)\]/.exec(text)?.[1];
  if (digits === undefined) return undefined;
  // 8.6.1 is 8601, 10.6.0 is 100600: the older form gives minor one digit.
  const [patch, minor, major] =
    digits.length <= 4
      ? [digits.slice(-2), digits.slice(-3, -2), digits.slice(0, -3)]
      : [digits.slice(-2), digits.slice(-4, -2), digits.slice(0, -4)];
  return [major, minor, patch].map(Number).join('.');
}

/** How trtexec failed, by what it printed. */
export type TrtexecFailure =
  'out-of-memory' | 'driver' | 'no-gpu' | 'missing-library' | 'option' | 'refused' | 'other';

const SIGNS: readonly (readonly [TrtexecFailure, RegExp])[] = [
  ['missing-library', /error while loading shared libraries|cannot open shared object file/],
  [
    'driver',
    /driver version is insufficient|CUDA initialization failure with error: 35|forward compatibility/i,
  ],
  [
    'no-gpu',
    /no CUDA-capable device|invalid device ordinal|CUDA initialization failure|Cannot find device ID/i,
  ],
  ['out-of-memory', /out of memory|OutOfMemory|insufficient memory|Requested amount of GPU memory/i],
  ['option', /Unknown option/i],
  [
    'refused',
    /parse onnx|ModelImporter|Parsing model failed|Failed to parse|Network validation failed|could not find any implementation/i,
  ],
];

export function failureIn(text: string): TrtexecFailure {
  return SIGNS.find(([, sign]) => sign.test(text))?.[0] ?? 'other';
}

/** The lines that say why, the last ones first of all; times and tags left out. */
export function reasonIn(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^\[[\d/:-]+\]\s*/, '').trim());
  const errors = lines.filter((line) => line.startsWith('[E]')).map((line) => line.slice(3).trim());
  const last = errors.length > 0 ? errors : lines.filter((line) => line !== '' && !line.startsWith('&&&&'));
  return last.slice(-3).join(' | ').slice(0, 500);
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw odd(file, messageOf(cause).slice(0, 100));
  }
}

function odd(file: string, why = 'it is of another form'): SurroundingsFault {
  return new SurroundingsFault({
    where: 'trtexec',
    what: `wrote a file that cannot be read, ${file}: ${why}`,
    fix: 'trtexec of TensorRT 8.6 to 11 is known: use one of these, or Python with TensorRT.',
  });
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** A name in `--loadInputs` and `--shapes`, where `:` and `,` part. @throws InputFault for one with a quote */
export function quoted(name: string): string {
  if (!name.includes("'")) return `'${name}'`;
  throw new InputFault({
    where: `input ${name}`,
    what: "has a quote in its name, which trtexec's options cannot hold",
    fix: 'Export the model with another name of the input, or use Python with TensorRT.',
  });
}
