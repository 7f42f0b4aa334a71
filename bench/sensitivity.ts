/**
 * node bench/run.mjs sensitivity SETTINGS.yml [keep]
 *
 * Ranks the layers of a detector in two ways on the same machine, engine and images: each candidate whole (a session
 * and a run of the whole graph for each layer, as AIMET, PPQ and NNCF do), and from stored activations. Prints both
 * times, the ratio of the processor time that they take (a shared machine spoils wall-clock time), and the rank correlation of the two rankings.
 */
import { basisOf, withBench } from '../src/pipeline/run.js';
import type { SweepRow } from '../src/sensitivity/index.js';
import { rankLayers } from '../src/pipeline/rank.js';
import { loadSettings } from '../src/settings/index.js';
import { buildWorker, quietContext as context } from './worker.js';

/** Spearman's coefficient of two rankings of the same names. */
function rankCorrelation(a: readonly string[], b: readonly string[]): number {
  const place = new Map(b.map((name, i) => [name, i]));
  const squares = a.reduce((sum, name, i) => sum + (i - (place.get(name) as number)) ** 2, 0);
  return 1 - (6 * squares) / (a.length * (a.length ** 2 - 1));
}

const [settings = 'fixtures/signs/int8-gate.yml', keep] = process.argv.slice(2);
await buildWorker();
const loaded = await loadSettings(settings);
const { cache } = loaded.settings;
// Nothing from former runs: it would be the store that is timed.
const cold = { ...loaded, settings: { ...loaded.settings, cache: { ...cache, enabled: false } } };
await withBench(cold, context, async (bench) => {
  const basis = await basisOf(bench);
  const timed = async (
    what: string,
    how: Parameters<typeof rankLayers>[1],
  ): Promise<readonly [readonly SweepRow[], number]> => {
    const started = performance.now();
    const cpu = process.cpuUsage();
    const rows = await rankLayers(basis, how);
    const seconds = (performance.now() - started) / 1000;
    const spent = process.cpuUsage(cpu);
    const busy = (spent.user + spent.system) / 1e6;
    console.log(
      `${what}: ${seconds.toFixed(1)} s (${busy.toFixed(1)} s of processor, ${(spent.system / 1e6).toFixed(1)} s of them the system's), ${rows.length} candidates, ${rows.reduce((sum, { detail }) => sum + (detail?.images ?? bench.subset.length), 0)} runs, ${bench.subset.length} images, peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
    );
    return [rows, busy];
  };
  console.log(`${bench.model.name}: ${bench.layers.length} layers, ${bench.engine.threads} threads`);
  const limit = keep === undefined ? {} : { keep: Number(keep) };
  const [stored, fast] = await timed('from stored activations', { questions: [], ...limit });
  const [all, whole] = await timed('from stored activations, every image', { questions: [], keep: Infinity });
  const [, usual] = await timed('the same, explaining the ten worst', limit);
  const [plain, slow] = await timed('each candidate whole', { plain: true });
  // A group is compared by its first layer; the plain way knows layers only.
  const groups = new Map(stored.map((row) => [row.layer.name, row.sqnr]));
  const single = (rows: readonly SweepRow[]): string[] =>
    rows
      .filter(({ layer }) =>
        stored.some((row) => row.layer.name === layer.name && (row.detail?.group.layers.length ?? 1) === 1),
      )
      .map(({ layer }) => layer.name);
  const worst = Math.max(
    ...plain
      .filter(({ layer }) => single(all).includes(layer.name))
      .map((row) => Math.abs(row.sqnr - (all.find((one) => one.layer.name === row.layer.name)?.sqnr ?? NaN))),
  );
  console.log(`groups: ${groups.size}; of one layer: ${single(stored).length}`);
  console.log(`SQNR with every image differs by at most ${worst.toExponential(1)} dB`);
  console.log(
    `rank correlation: ${rankCorrelation(single(plain), single(stored)).toFixed(4)} (every image: ${rankCorrelation(single(plain), single(all)).toFixed(4)})`,
  );
  console.log(
    `ratio of processor time: ${(slow / fast).toFixed(1)}x (every image: ${(slow / whole).toFixed(1)}x; the ten worst explained: ${(slow / usual).toFixed(1)}x)`,
  );
});
