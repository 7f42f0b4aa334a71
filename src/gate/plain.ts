import type { Candidate, Check } from './types.js';
import type { Thresholds } from '../settings/index.js';
import { short } from './words.js';

/** Metrics with one limit and no interval: distances from FP32, size and time. */
export function plainChecks(thresholds: Thresholds, candidate: Candidate): Check[] {
  const { distances, sqnr } = candidate;
  return [
    plain(
      'scoreDivergence',
      'The divergence of scores from FP32',
      distances?.scoreDivergence,
      undefined,
      thresholds.scoreDivergence?.max,
    ),
    plain(
      'detectionRatio',
      'The number of detections over that of FP32',
      distances?.detectionRatio,
      thresholds.detectionRatio?.min,
      undefined,
    ),
    plain(
      'boxShift',
      'The shift of boxes against FP32 (mean 1 − IoU)',
      distances?.boxShift,
      undefined,
      thresholds.boxShift?.max,
    ),
    plain('sqnr', 'The SQNR of the raw head outputs in dB', sqnr, thresholds.sqnr?.min, undefined),
    plain(
      'modelSizeMiB',
      'The size of the weights in MiB',
      candidate.modelSizeMiB,
      undefined,
      thresholds.modelSizeMiB?.max,
    ),
    timed(
      candidate.noise,
      plain(
        'latencyMs',
        'The median latency in milliseconds',
        candidate.latencyMs,
        undefined,
        thresholds.latencyMs?.max,
      ),
    ),
    timed(
      candidate.noise,
      plain(
        'speedup',
        'The speed over the FP16 engine',
        candidate.speedup,
        thresholds.speedup?.min,
        undefined,
      ),
    ),
  ].flat();
}

/** A time that was measured beside other work decides nothing. */
function timed(noise: string | undefined, checks: Check[]): Check[] {
  if (noise === undefined) return checks;
  return checks.map((check) =>
    check.kind === 'missing'
      ? check
      : { ...check, kind: 'inconclusive', sentence: `${check.sentence} It cannot be judged: ${noise}.` },
  );
}

function plain(metric: string, name: string, value: number | undefined, min: unknown, max: unknown): Check[] {
  const limit = typeof min === 'number' ? min : typeof max === 'number' ? max : undefined;
  if (limit === undefined) return [];
  const words = typeof min === 'number' ? `≥ ${short(limit)}` : `≤ ${short(limit)}`;
  if (value === undefined || Number.isNaN(value))
    return [
      {
        kind: 'missing',
        metric,
        limit: words,
        value: null,
        sentence: `${name} could not be measured; what is not measured does not pass.`,
      },
    ];
  const ok = typeof min === 'number' ? value >= limit : value <= limit;
  return [
    {
      kind: ok ? 'pass' : 'fail',
      metric,
      limit: words,
      value: Number.isFinite(value) ? value : null,
      sentence: `${name} is ${short(value)}; ${typeof min === 'number' ? 'at least' : 'at most'} ${short(limit)} is asked.`,
    },
  ];
}
