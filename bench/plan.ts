/**
 * node bench/run.mjs plan SETTINGS.yml
 *
 * Looks for the cheapest plan that passes, and holds it against what people do by hand with no more evaluations on the
 * whole set: everything in INT8; the head in float by rule; and greedy, the worst layer of the ranking first, one more
 * at a time until it passes. Prints a table: accuracy, layers in float, share of multiply-accumulates in INT8,
 * evaluations on the whole set, seconds on the wall and of the processor. The ranking, which both search and greedy need, is timed apart.
 */
import { findPlan, outcomeOf, pricerOf } from '../src/pipeline/find-plan.js';
import { startPlan } from '../src/pipeline/committed-plan.js';
import { basisOf, buildVariant, rankLayers, withBench, type Variant } from '../src/pipeline/run.js';
import { keepFloat, resolvePlan, type PrecisionPlan } from '../src/quantization/index.js';
import { loadSettings } from '../src/settings/index.js';
import { buildWorker, quietContext as context } from './worker.js';

const [file = 'fixtures/signs/int8-gate.yml'] = process.argv.slice(2);
await buildWorker();
const loaded = await loadSettings(file, { newPlan: true });
// Everything is measured here and now.
const fresh = {
  ...loaded,
  settings: { ...loaded.settings, cache: { ...loaded.settings.cache, enabled: false } },
};
/** A stopwatch: seconds on the wall, and of the processor. */
function watch(): () => string {
  const [started, spent] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(spent);
    return `${((performance.now() - started) / 1000).toFixed(1)} (${((user + system) / 1e6).toFixed(1)})`;
  };
}

await withBench(fresh, context, async (bench) => {
  const basis = await basisOf(bench);
  const { layers, model, truth, subset } = bench;
  const price = await pricerOf(basis);
  // The search's own measure, so that no way may stop at a plan that another would go on from.
  const passes = (one: Variant): boolean => outcomeOf(basis, one).passes;
  const rows: string[][] = [];
  const note = (name: string, one: Variant, full: number, time: string): void => {
    const float = layers.length - one.model.int8Layers.length;
    const { int8Share, reformats } = price(one.plan);
    rows.push([
      name,
      one.measured.evaluation.stats.AP.toFixed(4),
      `${one.drop.map.drop.toFixed(4)} (${one.drop.map.low.toFixed(4)}…${one.drop.map.high.toFixed(4)})`,
      passes(one) ? 'yes' : 'no',
      `${float} of ${layers.length}`,
      `${(100 * int8Share).toFixed(1)} %`,
      String(reformats),
      String(full),
      time,
    ]);
  };
  const { plan: start } = await startPlan(bench);
  const everything: PrecisionPlan = { ...start, layers: {} };
  const heads = layers.filter(({ head }) => head).map(({ name }) => name);

  const base = await buildVariant(basis, 'INT8', start);
  const ranking = watch();
  const sweep = await rankLayers(basis, { questions: [] });
  console.log(
    `${model.name}: ${layers.length} layers, ${truth.images.length} images, ranked on ${subset.length} in ${ranking()} s`,
  );
  note('everything in INT8', await buildVariant(basis, 'INT8', everything), 1, '');
  note('head in float, by rule', await buildVariant(basis, 'head', keepFloat(everything, heads)), 1, '');

  const searching = watch();
  const found = await findPlan(basis, base, sweep, { alternatives: false });
  const { evaluations, ended, kept, best } = found.search;
  note('found plan', found.variant, evaluations.full, searching());

  const stacking = watch();
  const precision = resolvePlan(start, layers);
  const groups = sweep
    .map(({ layer, detail }) => (detail?.group.layers ?? [layer]).map(({ name }) => name))
    .filter((names) => names.some((name) => precision.get(name) === 'int8'));
  let greedy = base;
  let full = 1;
  for (let k = 1; k <= groups.length && full < Math.max(2, evaluations.full) && !passes(greedy); k++, full++)
    greedy = await buildVariant(basis, 'greedy', keepFloat(start, groups.slice(0, k).flat()));
  note('greedy, worst first, as many evaluations', greedy, full, stacking());

  const { AP } = basis.fp32.evaluation.stats;
  console.log(`FP32 mAP50-95 ${AP.toFixed(4)}; search ended: ${ended}; on the subset: ${evaluations.subset}`);
  console.log(
    `kept: ${kept.join(', ') || '–'}; recalibrated: ${JSON.stringify(best.plan.calibrators ?? {})}`,
  );
  const header = [
    'plan',
    'mAP50-95',
    'drop',
    'passes',
    'float',
    'MACs in INT8',
    'conversions',
    'full evaluations',
    's (of processor)',
  ];
  for (const row of [header, header.map(() => '-'), ...rows]) console.log(`| ${row.join(' | ')} |`);
});
