import { distance } from 'fastest-levenshtein';
import { InputFault, type Problem } from '../faults/index.js';
import type { Ranges, TensorRange, TensorStatistics } from './types.js';

/** Highest code of symmetric INT8: a cache holds scales, amax / 127. */
const LEVELS = 127;
/** `TRT-100600-EntropyCalibration2`: version without its points, algorithm. */
const HEADER = /^TRT-(\d+)-(\w+)$/;
/** Version written into the header; TensorRT calibrates anew where it is not its own. */
const VERSION = '100600';

/** A calibration cache as TensorRT up to 10 reads and writes it. */
export interface CalibrationCache {
  /** Digits of the TensorRT version, `100600` for 10.6.0. */
  readonly version: string;
  /** `EntropyCalibration2`, `MinMaxCalibration` … */
  readonly algorithm: string;
  /** Scale, amax / 127, by tensor; 0 for a tensor that was always 0. */
  readonly scales: ReadonlyMap<string, number>;
}

/**
 * Reads a calibration cache: a header line, then `tensor: 3db216f7` a line, the float32 scale in big-endian hex digits
 * without leading zeros. Names may hold `: `, so the last one separates.
 * @throws InputFault naming file and line.
 */
export function parseCalibrationCache(text: string, file: string): CalibrationCache {
  const lines = text.split(/\r?\n/);
  const header = HEADER.exec(lines[0]?.trim() ?? '');
  if (header === null)
    throw new InputFault({
      where: `${file}:1`,
      what: `is no header of a calibration cache, is "${(lines[0] ?? '').slice(0, 60)}"`,
      fix: 'The first line must read like `TRT-100600-EntropyCalibration2`: name a file that TensorRT or `int8-gate quantize` wrote.',
    });
  const scales = new Map<string, number>();
  const problems: Problem[] = [];
  lines.slice(1).forEach((line, i) => {
    if (line.trim() === '') return;
    const found = readLine(line);
    if (typeof found === 'string') problems.push({ where: `${file}:${i + 2}`, what: found, fix: EXPECTED });
    else if (scales.has(found.tensor))
      problems.push({
        where: `${file}:${i + 2}`,
        what: `names tensor ${found.tensor} a second time`,
        fix: 'Keep one line for each tensor.',
      });
    else scales.set(found.tensor, found.scale);
  });
  if (problems.length > 0) throw new InputFault(problems.slice(0, 10));
  return { version: header[1] as string, algorithm: header[2] as string, scales };
}

const EXPECTED =
  'A line must read `tensor: 3db216f7`: the scale, a float32 that is not negative, as at most 8 hex digits.';

function readLine(line: string): { tensor: string; scale: number } | string {
  const at = line.lastIndexOf(': ');
  const digits = line.slice(at + 2).trim();
  if (at <= 0) return 'has no `: ` between tensor and scale';
  if (!/^[0-9a-fA-F]{1,8}$/.test(digits)) return `has "${digits.slice(0, 40)}" for a scale`;
  const bits = new DataView(new ArrayBuffer(4));
  bits.setUint32(0, Number.parseInt(digits, 16));
  const scale = bits.getFloat32(0);
  return Number.isFinite(scale) && scale >= 0
    ? { tensor: line.slice(0, at), scale }
    : `has the scale ${scale}`;
}

/** The digits by which a TensorRT version signs its caches: `100600` for 10.6.0, `8601` for 8.6.1. */
export function cacheVersionOf(tensorrt: string): string {
  const [major = 0, minor = 0, patch = 0] = tensorrt.split('.').map(Number);
  return String(major >= 10 ? major * 10_000 + minor * 100 + patch : major * 1000 + minor * 100 + patch);
}

/** Writes ranges as a calibration cache for TensorRT up to 10, tensors in the order of the ranges. */
export function formatCalibrationCache(ranges: Ranges, version = VERSION): string {
  const names = new Set([...ranges.values()].map(({ calibrator }) => calibrator));
  const minmax = names.size === 1 && names.has('minmax');
  const lines = [...ranges].map(([tensor, { amax }]) => {
    const bits = new DataView(new ArrayBuffer(4));
    bits.setFloat32(0, amax / LEVELS);
    return `${tensor}: ${bits.getUint32(0).toString(16)}`;
  });
  // Any other calibrator goes by the name of TensorRT's default: the name only says who may read it.
  const header = `TRT-${version}-${minmax ? 'MinMaxCalibration' : 'EntropyCalibration2'}`;
  return [header, ...lines, ''].join('\n');
}

/**
 * Ranges from a cache in place of a calibrator's; extremes are those of the statistics.
 * @throws InputFault naming the tensors that the cache lacks.
 */
export function rangesFromCache(
  cache: CalibrationCache,
  statistics: ReadonlyMap<string, TensorStatistics>,
  file: string,
): Ranges {
  const missing = [...statistics.keys()].filter((tensor) => !cache.scales.has(tensor));
  if (missing.length > 0)
    throw new InputFault(
      missing.slice(0, 10).map((tensor) => ({
        where: file,
        what: `has no scale for tensor ${tensor}, which is quantized (${missing.length} of ${statistics.size} are missing)`,
        fix: nearest(tensor, cache),
      })),
    );
  return new Map(
    [...statistics].map(([tensor, { min, max }]): [string, TensorRange] => [
      tensor,
      { amax: (cache.scales.get(tensor) as number) * LEVELS, min, max, calibrator: 'cache' },
    ]),
  );
}

function nearest(tensor: string, { scales }: CalibrationCache): string {
  const [first] = [...scales.keys()].sort((a, b) => distance(a, tensor) - distance(b, tensor));
  return `Calibrate anew with this very model${first === undefined ? '' : `; nearest in the cache is ${first}`}.`;
}
