import type { Ranges, TensorStatistics } from '../calibration/index.js';
import type { BootstrapResult } from '../evaluation/index.js';
import {
  DETECTIONS_FILE,
  readHistory,
  settleTerms,
  withPoint,
  writeDetections,
  writeHistory,
} from '../baseline/index.js';
import type { DetectionTable } from '../dataset/index.js';
import type { ExitStatus } from '../faults/index.js';
import { exitStatusOf, type Verdict } from '../gate/index.js';
import { encodeModel } from '../onnx/index.js';
import {
  planRanges,
  quantize,
  type Layer,
  type PlanAge,
  type PrecisionPlan,
  type QuantizedModel,
} from '../quantization/index.js';
import { checkReportFolder, writeReport, type Report } from '../report/index.js';
import {
  headTensors,
  referenceOutputs,
  type Price,
  type ReferenceOutputs,
  type SweepRow,
} from '../sensitivity/index.js';
import type { LoadedSettings } from '../settings/index.js';
import { compareBase } from './against.js';
import { auditOfRun } from './audit/index.js';
import { assembleReport } from './assemble.js';
import { findBase, keepAsBase } from './base.js';
import { againstBase, pointOf } from './base-section.js';
import { stalePlan, startPlan } from './committed-plan.js';
import { confirmOnGpu, type Confirmation } from './confirm.js';
import { calibrate, type Calibrated } from './calibrate.js';
import type { Context } from './context.js';
import { engineFindings } from './engine-report.js';
import { collectFindings, observeValidation } from './evidence.js';
import { fileFindings } from './file-findings.js';
import { checkSearch, findPlan, pricerOf, type MixedPlan } from './find-plan.js';
import { filesOf } from './report-files.js';
import { openGpu, probeGpu } from './gpu.js';
import { judgeEngine, judgeVariant } from './judging.js';
import { dropBetween, measure, modelOf, type Measured, type Reference } from './measure.js';
import { pictures } from './pictures/index.js';
import { feedOf, prepare, type Bench } from './prepare.js';
import { rankLayers } from './rank.js';

export { rankLayers } from './rank.js';

/** What a run leaves behind. */
export interface RunResult {
  readonly report: Report;
  readonly exitStatus: ExitStatus;
  readonly reportFolder: string;
  /** The judged plan. */
  readonly plan: PrecisionPlan;
}

/** A quantized model together with what was measured of it. */
export interface Variant {
  readonly plan: PrecisionPlan;
  readonly model: QuantizedModel;
  readonly bytes: Uint8Array;
  readonly measured: Measured;
  /** FP32 minus this one, with an interval from paired resampling of images. */
  readonly drop: BootstrapResult;
}

/** Everything that a run found, from which the report is assembled. */
export interface Found {
  readonly bench: Bench;
  readonly fp32: Measured;
  readonly int8: Variant;
  readonly mixed: Variant | undefined;
  /** How mixed precision was found, where it was looked for. */
  readonly found: MixedPlan | undefined;
  /** Why a committed plan is out of date. */
  readonly age: PlanAge | undefined;
  readonly price: (plan: PrecisionPlan) => Price;
  readonly rows: readonly SweepRow[] | undefined;
  readonly statistics: ReadonlyMap<string, TensorStatistics>;
  readonly ranges: Ranges;
  readonly choices: Calibrated['choices'];
  readonly contest?: NonNullable<Calibrated['contest']>;
  readonly corrections: Calibrated['corrections'];
  readonly verdict: Verdict;
  readonly startedAt: number;
  /** What real engines showed, where they were built. */
  readonly confirmation?: Confirmation;
}

/** What every quantized variant is made from and compared with. */
export interface Basis extends Calibrated {
  readonly fp32: Measured;
  readonly reference: Reference;
}

/** The main job: FP32, INT8 and mixed precision held against the thresholds. */
export async function runGate(
  loaded: LoadedSettings,
  context: Context,
  how: GateOptions = {},
): Promise<RunResult> {
  const startedAt = Date.now();
  await checkReportFolder(context.out);
  const asked = how.anew === true ? withoutPlan(loaded) : loaded;
  const terms = await settleTerms(asked, context.base, new Date(startedAt).toISOString().slice(0, 10));
  const past = context.history === undefined ? undefined : await readHistory(context.history);
  // Nobody looks at the base's images for the head's sake.
  const measureBase: typeof runGate = (base, where) => runGate(base, where, { audit: false });
  const base = await findBase(terms, context.base, context, measureBase);
  return withBench(terms.loaded, context, async (prepared) => {
    const against = { waivers: terms.waivers, base: compareBase(prepared, base) };
    const opened: Bench = { ...prepared, against };
    await how.known?.onBench(opened);
    await probeGpu(opened.settings, context);
    const basis = await basisOf(opened);
    const { bench, fp32, statistics, ranges, choices, contest, corrections } = basis;
    const { plan, age } = await startPlan(bench);
    await checkSearch(basis, plan);
    await how.known?.onQuantized(bench, quantizedBy(basis, plan).bytes);
    const int8 = await buildVariant(basis, 'INT8', plan);
    const rows = isRanked(bench, fp32, int8) ? await rankLayers(basis) : undefined;
    const { mixed, found: search } = await findMixed(basis, int8, rows, how);
    const candidate = bench.settings.gate.candidate === 'int8' ? int8 : (mixed ?? int8);
    const confirmation = await confirm(basis, int8, mixed);
    const verdict =
      confirmation === undefined
        ? judgeVariant(bench, fp32, candidate)
        : judgeEngine(bench, confirmation, candidate, candidate === int8 ? 'int8' : 'mixed');
    const found: Found = {
      bench,
      fp32,
      int8,
      mixed,
      found: search,
      age,
      price: await pricerOf(basis),
      rows,
      statistics,
      ranges,
      choices,
      ...(contest !== undefined && { contest }),
      corrections,
      verdict,
      startedAt,
      ...(confirmation !== undefined && { confirmation }),
    };
    const onValidation = await observeValidation(bench);
    const findings = [
      ...(await collectFindings(basis, int8, onValidation)),
      ...stalePlan(bench, int8.plan, age),
      ...(await fileFindings(basis, int8)),
      ...(confirmation === undefined ? [] : engineFindings(confirmation)),
    ];
    const judged = judgedDetections(found, candidate);
    const audited = how.audit !== false && bench.settings.report.audit;
    const assembled = {
      ...assembleReport(found, findings),
      ...(await pictures(basis, int8, mixed)),
      ...(audited && { audit: await auditOfRun(basis, onValidation) }),
    };
    const judgedReport = againstBase(assembled, bench, terms, verdict, judged);
    const history = past === undefined ? undefined : withPoint(past, pointOf(judgedReport, context.commit));
    const report = { ...judgedReport, ...(history !== undefined && { history: [...history] }) };
    context.progress.phase('Writing the report');
    await writeReport(report, context.out, {
      ...filesOf(found, candidate),
      [DETECTIONS_FILE]: await writeDetections({
        validation: bench.digests.validation,
        candidate: report.verdict.candidate,
        detections: judged,
      }),
    });
    // A base that is measured is kept by who measures it; merged shards are of several machines.
    if (context.base?.kind === 'none' && how.anew !== true && how.audit !== false && how.known === undefined)
      await keepAsBase(terms.loaded, context);
    if (context.history !== undefined && history !== undefined) await writeHistory(context.history, history);
    return { report, exitStatus: exitStatusOf(verdict), reportFolder: context.out, plan: candidate.plan };
  });
}

/** How the gate is run. */
export interface GateOptions {
  /** Look for a plan though the settings name a committed one, and for dearer ones beside it. */
  readonly anew?: boolean;
  /** `false`: leave the calibration images alone, whatever the settings say. */
  readonly audit?: boolean;
  /** Measurements of other machines that the store of the context holds, checked as soon as can be. */
  readonly known?: Known;
}

/** Holds measurements at hand against what a run is about. */
export interface Known {
  onBench(bench: Bench): Promise<void>;
  /** @param bytes - the model in INT8 */
  onQuantized(bench: Bench, bytes: Uint8Array): Promise<void>;
}

function withoutPlan(loaded: LoadedSettings): LoadedSettings {
  const quantization = { ...loaded.settings.quantization };
  delete quantization.plan;
  return { ...loaded, settings: { ...loaded.settings, quantization } };
}

/** Layers are ranked to find a plan, or to tell why one fails; not to check one that passes. */
function isRanked(bench: Bench, fp32: Measured, int8: Variant): boolean {
  const { sensitivity, quantization } = bench.settings;
  if (!sensitivity.enabled) return false;
  return (
    quantization.plan === undefined || sensitivity.always || judgeVariant(bench, fp32, int8).kind !== 'pass'
  );
}

/** Builds the real engines, where the settings want them, with the GPU to ourselves. */
async function confirm(
  basis: Basis,
  int8: Variant,
  mixed: Variant | undefined,
): Promise<Confirmation | undefined> {
  const gpu = await openGpu(basis.bench.settings, basis.bench.context);
  if (gpu === undefined) return undefined;
  try {
    return await confirmOnGpu(basis, gpu, int8, mixed);
  } finally {
    await gpu.close();
  }
}

/** Of the engine where one was built, else of the simulation. */
function judgedDetections({ confirmation, int8 }: Found, candidate: Variant): DetectionTable {
  const variant = candidate === int8 ? 'int8' : 'mixed';
  const engine = confirmation?.engines.find((one) => one.variant === variant);
  return (engine ?? candidate).measured.detections;
}

/** Opens the bench for a job and closes it after, whatever happens. */
export async function withBench<T>(
  loaded: LoadedSettings,
  context: Context,
  job: (bench: Bench) => Promise<T>,
): Promise<T> {
  const bench = await prepare(loaded, context);
  try {
    return await job(bench);
  } finally {
    context.progress.end();
    await bench.engine.close();
  }
}

/** FP32 on the whole set, its head tensors on the subset, and calibrated ranges. */
export async function basisOf(bench: Bench): Promise<Basis> {
  const fp32 = await measure(bench, 'FP32', bench.referenceBytes, weightBytes(bench.layers, [], 4));
  const reference = await referenceOf(bench, fp32);
  const { plan } = await startPlan(bench);
  const calibrated = await calibrate(bench, plan, { extremes: true });
  return { fp32, reference, ...calibrated };
}

async function referenceOf(bench: Bench, fp32: Measured): Promise<Reference> {
  const outputs = await headOutputs(bench);
  return { detections: fp32.detections, heads: outputs.heads, outputs };
}

/** FP32's head tensors on the subset. */
export async function headOutputs(bench: Bench): Promise<ReferenceOutputs> {
  const heads = headTensors(bench.graph);
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.referenceBytes), {
    extraOutputs: heads,
  });
  try {
    return await referenceOutputs(
      session,
      heads,
      feedOf(bench, bench.validation, bench.subset),
      bench.context.signal,
    );
  } finally {
    await session.release();
  }
}

/** Bytes of the weights as deployed: one an INT8 weight, `floatBytes` for the others. */
function weightBytes(layers: readonly Layer[], int8: readonly Layer[], floatBytes: number): number {
  const names = new Set(int8.map(({ name }) => name));
  return layers.reduce(
    (sum, { name, parameters }) => sum + parameters * (names.has(name) ? 1 : floatBytes),
    0,
  );
}

/** Quantizes by a plan. */
export function quantizedBy(
  { bench, ranges, statistics }: Pick<Basis, 'bench' | 'ranges' | 'statistics'>,
  plan: PrecisionPlan,
): Pick<Variant, 'model' | 'bytes'> {
  const { batch } = bench.settings.calibration;
  const model = quantize(bench.model, plan, planRanges(plan, bench.layers, ranges, statistics, batch));
  return { model, bytes: encodeModel(model.proto) };
}

/** Quantizes by a plan, evaluates, and sets the result against FP32. */
export async function buildVariant(basis: Basis, name: string, plan: PrecisionPlan): Promise<Variant> {
  const { bench, fp32, reference } = basis;
  const { model, bytes } = quantizedBy(basis, plan);
  const measured = await measure(
    bench,
    name,
    bytes,
    weightBytes(bench.layers, model.int8Layers, 2),
    reference,
  );
  const drop = dropBetween(bench, fp32.detections, measured.detections);
  return { plan, model, bytes, measured, drop };
}

/** Mixed precision: the committed plan itself, or what the search finds. */
async function findMixed(
  basis: Basis,
  int8: Variant,
  rows: readonly SweepRow[] | undefined,
  how: GateOptions,
): Promise<{ mixed: Variant | undefined; found: MixedPlan | undefined }> {
  const { settings } = basis.bench;
  if (settings.quantization.plan !== undefined) return { mixed: int8, found: undefined };
  if (rows === undefined || settings.gate.candidate === 'int8') return { mixed: undefined, found: undefined };
  const found = await findPlan(basis, int8, rows, { alternatives: how.anew === true });
  return { mixed: found.variant, found };
}
