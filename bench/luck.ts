/**
 * node bench/run.mjs luck [SETTINGS.yml] [scenes] [sets] [first seed]
 *
 * How much of what a chosen plan shows is luck: whoever looks at several plans on the same scenes and takes the cheapest that
 * passes there favours those that the scenes happen to suit. A row of plans, each with more of the ranking's worst groups
 * in float, is measured once on many scenes drawn anew. Then validation sets are drawn from these, over and over; on each the
 * cheapest plan that passes is taken, and held against the scenes that are not in the set. By the fall itself, as with
 * `inconclusive: pass`, and by its interval, as the gate asks unless told otherwise. A real search looks at about as many
 * plans, but goes its own way through them.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pickImages, type DetectionTable, type GroundTruth } from '../src/dataset/index.js';
import { evaluateCoco, mulberry32, pairedBootstrap } from '../src/evaluation/index.js';
import { startPlan } from '../src/pipeline/committed-plan.js';
import { subsetOf } from '../src/pipeline/detect.js';
import { basisOf, buildVariant, rankLayers, withBench } from '../src/pipeline/run.js';
import { keepFloat, resolvePlan } from '../src/quantization/index.js';
import { loadSettings, type LoadedSettings } from '../src/settings/index.js';
import { buildWorker, quietContext as context } from './worker.js';

/** What scenes.mjs exports, as far as it is used here. */
interface Generator {
  readonly CLASSES: readonly string[];
  readonly SIZE: number;
  scene(seed: number): {
    readonly svg: string;
    readonly boxes: readonly { readonly category: number; readonly bbox: readonly number[] }[];
  };
  rasterize(svg: string): Promise<Uint8Array>;
}

const [file = 'fixtures/signs/int8-gate.yml', ...numbers] = process.argv.slice(2);
const [scenes = 1500, sets = 200, first = 2_000_000] = numbers.map(Number);
await buildWorker();
const generator = (await import(pathToFileURL(resolve('fixtures/signs/scenes.mjs')).href)) as Generator;
const loaded = await loadSettings(file, { newPlan: true });

/** Draws scenes as a validation set. */
async function drawn(from: number, count: number): Promise<LoadedSettings> {
  const folder = resolve('build/bench/luck', `${from}-${count}`);
  await mkdir(folder, { recursive: true });
  const images: object[] = [];
  const annotations: object[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const { svg, boxes } = generator.scene(seed);
    await writeFile(join(folder, `${seed}.jpg`), await generator.rasterize(svg));
    images.push({ id: seed, file_name: `${seed}.jpg`, width: generator.SIZE, height: generator.SIZE });
    for (const { category, bbox } of boxes)
      annotations.push({
        id: annotations.length + 1,
        image_id: seed,
        category_id: category + 1,
        bbox,
        area: (bbox[2] as number) * (bbox[3] as number),
        iscrowd: 0,
      });
  }
  const categories = generator.CLASSES.map((name, i) => ({ id: i + 1, name }));
  await writeFile(`${folder}.json`, JSON.stringify({ images, annotations, categories }));
  const { settings } = loaded;
  const validation = { ...settings.validation, images: folder, annotations: `${folder}.json` };
  return { ...loaded, settings: { ...settings, validation, cache: { ...settings.cache, enabled: false } } };
}

/** Worst groups in float, by plan. */
const STEPS = [0, 1, 2, 3, 4, 6, 8, 11, 16, 22, 30, 40];
const SIZES = [50, 200, 500];
/** Resamples of an interval of one set. */
const RESAMPLES = 200;

const { maxDrop: limit = NaN } = loaded.settings.gate.thresholds['mAP50-95'] ?? {};
if (Number.isNaN(limit)) throw new Error('the settings limit no fall of mAP50-95');

/** A plan's detections on all scenes. */
interface Measured {
  readonly float: number;
  readonly detections: DetectionTable;
}

/** Fall of mAP of a plan on some of the scenes. */
class Falls {
  private readonly maps = new Map<DetectionTable, number>();
  private readonly truth: GroundTruth;

  constructor(
    all: GroundTruth,
    private readonly images: readonly number[],
    private readonly fp32: DetectionTable,
  ) {
    this.truth = pickImages(all, images);
  }

  private map(detections: DetectionTable): number {
    const known = this.maps.get(detections);
    if (known !== undefined) return known;
    const map = evaluateCoco(this.truth, subsetOf(detections, this.images)).stats.AP;
    this.maps.set(detections, map);
    return map;
  }

  of({ detections }: Measured): number {
    return this.map(this.fp32) - this.map(detections);
  }

  /** Upper end of the interval. */
  high({ detections }: Measured, confidence: number, seed: number): number {
    return pairedBootstrap({
      truth: this.truth,
      reference: subsetOf(this.fp32, this.images),
      candidate: subsetOf(detections, this.images),
      resamples: RESAMPLES,
      confidence,
      seed,
    }).map.high;
  }
}

/** What came of one way of letting plans pass. */
class Luck {
  looked = 0;
  /** On the set where the plan was taken, and on the other scenes. */
  readonly falls: (readonly [here: number, there: number])[] = [];
}

/** Numbers 0…count − 1, the first `size` of them drawn at random. */
function shuffled(count: number, size: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < size; i++) {
    const j = i + Math.floor(random() * (count - i));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

await withBench(await drawn(first, scenes), context, async (bench) => {
  const basis = await basisOf(bench);
  const { plan: start } = await startPlan(bench);
  const sweep = await rankLayers(basis, { questions: [] });
  const precision = resolvePlan(start, bench.layers);
  const groups = sweep
    .map(({ layer, detail }) => (detail?.group.layers ?? [layer]).map(({ name }) => name))
    .filter((names) => names.some((name) => precision.get(name) === 'int8'));
  const fp32 = basis.fp32.detections;
  const whole = new Falls(bench.truth, [...bench.truth.images.keys()], fp32);
  const plans: Measured[] = [];
  const { confidence } = bench.settings.gate;
  console.log(
    `${bench.model.name}: ${scenes} scenes, FP32 ${basis.fp32.evaluation.stats.AP.toFixed(4)}; mAP50-95 may fall by ${limit}, confidence ${confidence}`,
  );
  for (const step of STEPS) {
    const { model, measured } = await buildVariant(
      basis,
      `${step} groups in float`,
      keepFloat(start, groups.slice(0, step).flat()),
    );
    const plan = { float: model.floatLayers.length, detections: measured.detections };
    plans.push(plan);
    console.log(
      `${step} groups, ${plan.float} layers in float: falls by ${whole.of(plan).toFixed(4)} on all`,
    );
  }
  console.log(
    '| set | by | sets with a plan that passes | it falls beyond the limit on the other scenes | larger there by | plans looked at |',
  );
  console.log(`|${' --- |'.repeat(6)}`);
  for (const size of SIZES) {
    const random = mulberry32(size);
    const seen = new Map([
      ['the fall itself', new Luck()],
      ['the interval', new Luck()],
    ] as const);
    for (let set = 0; set < sets; set++) {
      const order = shuffled(scenes, size, random);
      const own = new Falls(bench.truth, ascending(order.slice(0, size)), fp32);
      const others = new Falls(bench.truth, ascending(order.slice(size)), fp32);
      for (const [by, luck] of seen) {
        const taken = plans.find((plan) => {
          luck.looked++;
          return (
            own.of(plan) <= limit && (by === 'the fall itself' || own.high(plan, confidence, set) <= limit)
          );
        });
        if (taken !== undefined) luck.falls.push([own.of(taken), others.of(taken)]);
      }
    }
    for (const [by, { falls, looked }] of seen) {
      const beyond = falls.filter(([, there]) => there > limit).length;
      const more = falls.reduce((sum, [here, there]) => sum + there - here, 0) / falls.length;
      const cells = [`${size} scenes`, by, `${falls.length} of ${sets}`, `${beyond} of ${falls.length}`];
      console.log(`| ${[...cells, more.toFixed(4), (looked / sets).toFixed(1)].join(' | ')} |`);
    }
  }
});
