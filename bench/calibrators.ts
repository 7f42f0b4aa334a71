/**
 * node bench/run.mjs calibrators SETTINGS.yml [--mixed 0.005] [--tries 8] [--only best,minmax]
 *
 * What each calibrator leaves of a detector in INT8: mAP50-95 on the validation set of the settings, without and with bias
 * correction, and the SQNR of the raw head outputs on the calibration images held back (an eighth, 16 at most), which no range
 * is taken from. `quantization.operators` and `head` are those of the settings; equalization is off. The first rows are FP32
 * and what is usually done: MinMax at the inputs of convolutions alone. "Recovered" is the share of that row's loss.
 *
 * --mixed: for `best`, layers go to float, worst of the ranking first, until mAP lies no further below FP32; prints the share
 * of multiply-accumulates that stays in INT8. All figures are points on the images given, without intervals.
 */
import { parseArgs } from 'node:util';
import { rangeCandidates, type Ranges } from '../src/calibration/index.js';
import { startPlan } from '../src/pipeline/committed-plan.js';
import { correctBiases, heldBackMeter } from '../src/pipeline/corrections.js';
import { pricerOf } from '../src/pipeline/find-plan.js';
import {
  basisOf,
  buildVariant,
  rankLayers,
  withBench,
  type Basis,
  type Variant,
} from '../src/pipeline/run.js';
import { keepFloat, resolvePlan, type PrecisionPlan } from '../src/quantization/index.js';
import { loadSettings, type LoadedSettings } from '../src/settings/index.js';
import { buildWorker, quietContext } from './worker.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    mixed: { type: 'string' },
    tries: { type: 'string', default: '8' },
    only: { type: 'string', default: '' },
  },
});
const [file = 'fixtures/signs/int8-gate.yml'] = positionals;
await buildWorker();

const started = performance.now();
const elapsed = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
const phase = (what: string): void => console.error(`${elapsed()} ${what}`);
const context = { ...quietContext, progress: { ...quietContext.progress, phase } };

/** Calibrators are chosen on images held back, as with bias correction, and nothing comes from former runs. */
function forComparison(loaded: LoadedSettings): LoadedSettings {
  const { settings } = loaded;
  return {
    ...loaded,
    settings: {
      ...settings,
      cache: { ...settings.cache, enabled: false },
      calibration: { ...settings.calibration, calibrator: 'best' },
      quantization: { ...settings.quantization, biasCorrection: 'auto', equalization: 'off' },
    },
  };
}

const apOf = ({ measured }: Pick<Variant, 'measured'>): number => measured.evaluation.stats.AP;
const memory = (): string => `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`;
const row = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);

/** Worst layers of the ranking to float, one more at a time, until the drop is no larger than wanted. */
async function mix(basis: Basis, start: PrecisionPlan, wanted: number): Promise<void> {
  const price = await pricerOf(basis);
  const sweep = await rankLayers(basis, { questions: [] });
  const precision = resolvePlan(start, basis.bench.layers);
  const groups = sweep
    .map(({ layer, detail }) => (detail?.group.layers ?? [layer]).map(({ name }) => name))
    .filter((names) => names.some((name) => precision.get(name) === 'int8'));
  row(['layers in float besides the head', 'mAP50-95', 'below FP32', 'interval', 'MACs in INT8']);
  row(['-', '-', '-', '-', '-']);
  for (let k = 0; k <= Math.min(Number(values.tries), groups.length); k++) {
    const plan = keepFloat(start, groups.slice(0, k).flat());
    const variant = await buildVariant(basis, `mixed, ${k} in float`, plan);
    const { drop, low, high } = variant.drop.map;
    row([
      k === 0 ? 'none' : groups.slice(0, k).flat().join(', '),
      apOf(variant).toFixed(4),
      drop.toFixed(4),
      `${low.toFixed(4)}…${high.toFixed(4)}`,
      `${(100 * price(plan).int8Share).toFixed(1)} %`,
    ]);
    if (drop <= wanted) return;
  }
}

await withBench(forComparison(await loadSettings(file, { newPlan: true })), context, async (bench) => {
  const { plan } = await startPlan(bench);
  // Rows correct biases themselves.
  const basis: Basis = { ...(await basisOf(bench)), bench };
  phase(`calibrators are chosen; peak memory so far ${memory()}`);
  const meter = await heldBackMeter(bench, plan);
  const candidates = [
    ...rangeCandidates(basis.statistics, bench.settings.calibration),
    { name: 'best', ranges: basis.ranges },
  ].filter(({ name }) => values.only === '' || values.only.split(',').includes(name));

  const minmax = rangeCandidates(basis.statistics, bench.settings.calibration)[0]?.ranges as Ranges;
  const convolutions: PrecisionPlan = { version: 1, operators: ['Conv'], default: 'int8', layers: {} };
  const usual = await buildVariant({ ...basis, ranges: minmax }, 'Conv alone', convolutions);
  const fp32 = apOf({ measured: basis.fp32 });
  const lost = fp32 - apOf(usual);
  const recovered = (ap: number): string =>
    lost <= 0 ? '' : `${((100 * (ap - apOf(usual))) / lost).toFixed(0)} %`;

  if (basis.contest !== undefined) console.log(JSON.stringify(basis.contest));
  console.log(
    `${bench.model.name}: ${bench.truth.images.length} images, ${bench.calibration.count} calibration images, ${bench.heldBack.count} held back, ${basis.choices.length} scales`,
  );
  row(['calibrator', 'mAP50-95', 'SQNR', 'recovered', 'bias corrected', 'SQNR', 'recovered', 'layers']);
  row(['-', '-', '-', '-', '-', '-', '-', '-']);
  row(['FP32', fp32.toFixed(4), '', '', '', '', '', '']);
  row(['minmax, Conv inputs alone', apOf(usual).toFixed(4), '', '0 %', '', '', '', '']);
  let corrected = basis;
  for (const { name, ranges } of candidates) {
    const own: Basis = { ...basis, ranges };
    const plain = apOf(await buildVariant(own, name, plan));
    const { model, correction } = await correctBiases(bench, ranges, meter);
    const { applied, count, after, reason } = correction;
    const before = correction.before ?? (await meter.sqnr(bench.model, ranges));
    corrected = { ...own, bench: { ...bench, model } };
    const better = applied ? apOf(await buildVariant(corrected, `${name}, corrected`, plan)) : plain;
    row([
      name,
      plain.toFixed(4),
      `${before.toFixed(1)} dB`,
      recovered(plain),
      applied ? better.toFixed(4) : `refused: ${reason}`,
      after === undefined ? '' : `${after.toFixed(1)} dB`,
      recovered(better),
      String(count),
    ]);
  }
  phase(`peak memory ${memory()}`);
  // The last candidate is `best`, with its biases as they were found to be better.
  if (values.mixed !== undefined) await mix(corrected, plan, Number(values.mixed));
  phase(`done; peak memory ${memory()}`);
});
