import type { BootstrapResult, Drop } from '../evaluation/index.js';
import { exitStatusOf, type Check, type Verdict } from '../gate/index.js';
import { opsetOf } from '../onnx/index.js';
import { resolvePlan, withMacs } from '../quantization/index.js';
import type { Finding, Report, ReportVariant } from '../report/index.js';
import { calibratorInWords } from './calibrate.js';
import { calibratorsSection, contestSection, correctionsSection } from './choices.js';
import { enginesSection } from './engine-report.js';
import { finite, layerRows } from './layer-rows.js';
import { planSectionOf, searchSection } from './plan-section.js';
import type { PlanSearch } from '../sensitivity/index.js';
import type { Measured } from './measure.js';
import type { Bench } from './prepare.js';
import type { Found, Variant } from './run.js';
import { todoOf } from './todo.js';
import { VERSION } from './version.js';
import { basename } from 'node:path';

/** Everything that a run found, as the report. Pure but for the clock. */
export function assembleReport(found: Found, findings: readonly Finding[]): Report {
  const { bench, fp32, int8, mixed, startedAt } = found;
  const search = searchSection(found);
  const { settings } = bench;
  return {
    schema: 'int8-gate/report',
    version: 1,
    tool: { name: 'int8-gate', version: VERSION },
    createdAt: new Date(startedAt).toISOString(),
    durationMs: Date.now() - startedAt,
    model: modelSection(found),
    decoder: { format: bench.choice.decoder.format, why: [...bench.choice.why, bench.classesHow] },
    preprocessing: { spec: { ...bench.spec }, reasons: [...bench.preprocessingReasons] },
    data: dataSection(bench),
    engine: { name: bench.engine.name, version: bench.engine.version, threads: bench.engine.threads },
    variants: {
      fp32: variantSection(fp32),
      int8: quantizedSection(int8),
      ...(mixed !== undefined && { mixed: quantizedSection(mixed) }),
    },
    ...(found.rows !== undefined && {
      sensitivity: { images: bench.subset.length, layers: layerRows(found, findings) },
    }),
    ...(search !== undefined && { search: [...search] }),
    plan: planSectionOf(found),
    ...(found.confirmation !== undefined && { engines: enginesSection(found.confirmation) }),
    corrections: correctionsSection(found.corrections),
    ...(found.choices.length > 0 && { calibrators: calibratorsSection(found) }),
    ...(found.contest !== undefined && { calibratorContest: contestSection(found.contest) }),
    findings: [...findings],
    verdict: verdictSection(found, settings.gate.candidate, findings),
  };
}

function modelSection({ bench, statistics }: Found): Report['model'] {
  const { model, graph } = bench;
  const macs = withMacs(bench.layers, graph, statistics).reduce<number | undefined>(
    (sum, layer) => (sum === undefined || layer.macs === undefined ? undefined : sum + layer.macs),
    0,
  );
  return {
    file: model.name,
    digest: model.digest,
    structure: model.structure,
    opset: opsetOf(model.proto),
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
    sizeBytes: model.sizeBytes,
    layers: bench.layers.length,
    macs: macs ?? null,
  };
}

function dataSection({ truth, calibration, heldBack, settings, digests }: Bench): Report['data'] {
  const { images } = settings.calibration;
  return {
    validation: {
      source: basename(truth.source),
      images: truth.images.length,
      boxes: truth.annotations.count,
      categories: truth.categories.map(({ name }) => name),
      skipped: [...truth.skipped],
      digest: digests.validation,
    },
    calibration: {
      source: basename(images),
      images: calibration.count,
      calibrator: calibratorInWords(settings.calibration),
      digests: [...digests.calibration],
      ...(settings.calibration.calibrator === 'best' &&
        settings.calibration.cache === undefined && { heldBack: heldBack.count }),
    },
  };
}

function variantSection({
  evaluation,
  detections,
  weightBytes,
  latency,
  distances,
  sqnr,
}: Measured): ReportVariant {
  return {
    stats: { ...evaluation.stats },
    perClass: evaluation.perClass.map(({ name, AP, AP50, AR100, boxes }) => ({
      name,
      AP,
      AP50,
      AR100,
      boxes,
    })),
    detections: detections.score.reduce((sum, score) => sum + (score >= 0.25 ? 1 : 0), 0),
    weightBytes,
    ...(latency !== undefined && { latency: { ...latency } }),
    ...(distances !== undefined && { distances: { ...distances } }),
    ...(sqnr !== undefined && { sqnr: finite(sqnr) }),
  };
}

function quantizedSection({ measured, drop, model }: Variant): ReportVariant {
  return {
    ...variantSection(measured),
    ...dropsOf(drop),
    int8Layers: model.int8Layers.length,
    floatLayers: model.floatLayers.length,
  };
}

function dropsOf({ map, map50 }: BootstrapResult): Pick<ReportVariant, 'drop' | 'drop50'> {
  const section = ({ drop, low, high }: Drop): NonNullable<ReportVariant['drop']> => ({
    drop,
    low: finite(low),
    high: finite(high),
  });
  return {
    ...(Number.isFinite(map.drop) && { drop: section(map) }),
    ...(Number.isFinite(map50.drop) && { drop50: section(map50) }),
  };
}

function verdictSection(
  found: Found,
  candidate: 'mixed' | 'int8',
  findings: readonly Finding[],
): Report['verdict'] {
  const { verdict } = found;
  return {
    kind: verdict.kind,
    blocks: exitStatusOf(verdict) !== 0,
    candidate,
    why: whyOf(found, verdict, candidate),
    todo: verdict.kind === 'pass' ? [] : todoFor(found, verdict, findings),
    checks: verdict.checks.map(checkSection),
  };
}

/** Waivers have a section of their own; what the search asks of a check is no part of the report. */
function checkSection(check: Check): Report['verdict']['checks'][number] {
  const { interval } = check;
  const section = { ...check, ...(interval !== undefined && { interval: [...interval] }) };
  delete section.waiver;
  delete section.onlyFew;
  return section as Report['verdict']['checks'][number];
}

function whyOf({ found, mixed, int8 }: Found, verdict: Verdict, candidate: 'mixed' | 'int8'): string {
  const search = found?.search;
  const engine = candidate === 'mixed' ? 'The mixed-precision engine' : 'The INT8 engine';
  if (verdict.kind === 'pass') {
    const kept = search?.kept.length ?? 0;
    const float = (mixed ?? int8).model.floatLayers.length;
    const how =
      candidate === 'mixed'
        ? ` with ${float} layers in float${kept > 0 ? `, ${kept} of them found by sensitivity` : float > 0 ? ': the head, and those that the settings name' : ''}`
        : '';
    return `${engine} holds every threshold${how}.`;
  }
  const failing =
    verdict.checks.find(({ kind }) => kind === 'fail' || kind === 'missing') ??
    verdict.checks.find(({ kind }) => kind === 'inconclusive');
  const none = search !== undefined && !search.passes ? ` ${noneOf(search)}` : '';
  return `${engine} ${verdict.kind === 'fail' ? 'fails' : 'cannot be judged'}: ${failing?.sentence ?? ''}${none}`;
}

/** What kept the search from a plan that passes. */
function noneOf({ points, ended, blame }: PlanSearch): string {
  const full = points.filter(({ outcome }) => outcome !== undefined);
  const tried =
    full.length === 1
      ? 'The one plan measured on the whole set does not pass'
      : `None of the ${full.length} plans measured on the whole set passes`;
  const why = {
    cheapest: '',
    'none-passes': ', not even with every layer in float that may be',
    minutes: ': sensitivity.maxMinutes ended the search',
    'float-layers': ': sensitivity.maxFloatLayers allows no more layers in float',
    'int8-share': ': sensitivity.minInt8Share allows no more layers in float',
  }[ended];
  const blamed = blame.length === 0 ? '' : ` What hurts most of what is still in INT8: ${blame.join(', ')}.`;
  return `${tried}${why}.${blamed}`;
}

function todoFor(
  { found, rows = [], bench, int8, mixed }: Found,
  verdict: Verdict,
  findings: readonly Finding[],
): string[] {
  const precision = resolvePlan((mixed ?? int8).plan, bench.layers);
  return todoOf({
    verdict,
    findings,
    ranked: rows.map(({ layer }) => layer.name),
    inInt8: (name) => (precision.get(name) ?? 'int8') === 'int8',
    searched:
      bench.settings.gate.candidate === 'int8' && mixed === undefined
        ? 'not'
        : (found?.search.ended ?? 'cheapest'),
  });
}
