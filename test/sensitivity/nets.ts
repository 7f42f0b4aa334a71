import { createHash } from 'node:crypto';
import { calibratorFor, computeRanges } from '../../src/calibration/index.js';
import {
  parseCoco,
  type GroundTruth,
  type PreparedImage,
  type PreprocessingSpec,
} from '../../src/dataset/index.js';
import type { Engine, ImageFeed } from '../../src/engine/index.js';
import { mulberry32 } from '../../src/evaluation/index.js';
import {
  buildGraph,
  encodeModel,
  floatsToTensor,
  type Model,
  type TensorProto,
} from '../../src/onnx/index.js';
import { listLayers, tensorsToCalibrate, type OperatorScope } from '../../src/quantization/index.js';
import { headTensors, referenceOutputs, type StoredSweepInput } from '../../src/sensitivity/index.js';
import { modelOf } from '../quantization/graphs.js';

export const SIDE = 16;
const CHANNELS = 8;

/** A network with one layer that INT8 hurts more than any other. */
export interface Planted {
  readonly model: Model;
  readonly culprit: string;
}

export const spec: PreprocessingSpec = {
  resize: 'stretch',
  height: SIDE,
  width: SIDE,
  interpolation: 'opencv',
  color: 'rgb',
  pad: 0,
  scale: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.25, 0.25, 0.25],
  layout: 'nchw',
  dtype: 'float32',
  exif: false,
};

/** Images of noise, the same for the same seed. */
export function feedOf(count: number, seed: number): ImageFeed {
  const random = mulberry32(seed);
  return feedFrom(Array.from({ length: count }, () => noise(random)));
}

/** Images of noise: pixels are what comes of the name. */
function feedNamed(names: readonly string[]): ImageFeed {
  return feedFrom(
    names.map((name) => noise(mulberry32(createHash('sha256').update(name).digest().readUInt32LE()))),
  );
}

function noise(random: () => number): PreparedImage {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => Math.floor(random() * 256));
  const geometry = { scaleX: 1, scaleY: 1, padX: 0, padY: 0, originalWidth: SIDE, originalHeight: SIDE };
  return { pixels, width: SIDE, height: SIDE, geometry };
}

function feedFrom(images: readonly PreparedImage[]): ImageFeed {
  return { count: images.length, spec, image: (i) => Promise.resolve(images[i] as PreparedImage) };
}

/** A sweep of the network on images of these names, calibrated on others; nothing is asked beside the ranking. */
export async function inputOf(
  engine: Engine,
  { model }: Planted,
  { names, scope = 'tensorrt' }: { readonly names: readonly string[]; readonly scope?: OperatorScope },
): Promise<StoredSweepInput> {
  const graph = buildGraph(model);
  const loaded = { name: model.name, bytes: encodeModel(model.proto) };
  const calibration = feedNamed(['calibration 0', 'calibration 1', 'calibration 2']);
  const statistics = await engine.collect(loaded, tensorsToCalibrate(graph, scope), calibration);
  const feed = feedNamed(names);
  const heads = headTensors(graph);
  const session = await engine.load(loaded, { extraOutputs: heads });
  const { signal } = new AbortController();
  const reference = await referenceOutputs(session, heads, feed, signal);
  await session.release();
  return {
    engine,
    model,
    graph,
    layers: listLayers(graph, scope).filter(({ head }) => !head),
    scope,
    ranges: computeRanges(statistics, calibratorFor('minmax', { percentile: 100 })),
    reference,
    feed,
    signal,
    onProgress: () => undefined,
    work: new Map(),
    truth: truthOf(names.length),
    decode: () => true,
    questions: [],
    explained: 0,
    keep: Infinity,
    seed: 1,
    intervals: 0,
  };
}

function truthOf(count: number): GroundTruth {
  const images = Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    file_name: `${i}.png`,
    width: SIDE,
    height: SIDE,
  }));
  const box = { id: 1, image_id: 1, category_id: 1, bbox: [0, 0, 4, 4], area: 16, iscrowd: 0 };
  return parseCoco({ images, categories: [{ id: 1, name: 'thing' }], annotations: [box] }, 'truth', '');
}

type Scale = (out: number, inside: number) => number;

/** Gaussian weights of a convolution that keeps power, times `by` per output and input channel. */
function conv(
  name: string,
  random: () => number,
  [out, inside]: readonly [number, number],
  by: Scale = () => 1,
): TensorProto {
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const data = Float32Array.from(
    { length: out * inside },
    (_, i) => gauss() * Math.sqrt(2 / inside) * by(Math.floor(i / inside), i % inside),
  );
  return floatsToTensor(name, [out, inside, 1, 1], data);
}

const LAYERS = 8;

/** A chain of convolutions; the culprit reads a tensor with one channel that reaches 300 times further than the rest. */
export function outlierChannel(seed: number): Planted {
  const random = mulberry32(seed);
  const at = 2 + Math.floor(random() * (LAYERS - 2));
  return { model: outliers(random, [at]), culprit: `c${at}` };
}

/** As {@link outlierChannel}, with two culprits that are at least two layers apart. */
export function twoOutliers(seed: number): { readonly model: Model; readonly culprits: [string, string] } {
  const random = mulberry32(seed);
  const first = 1 + Math.floor(random() * 2);
  const second = first + 3 + Math.floor(random() * (LAYERS - 3 - first));
  return { model: outliers(random, [first, second]), culprits: [`c${first}`, `c${second}`] };
}

function outliers(random: () => number, at: readonly number[]): Model {
  const channel = Math.floor(random() * CHANNELS);
  const loud: Scale = (out) => (out === channel ? 300 : 1);
  const quiet: Scale = (_out, inside) => (inside === channel ? 1 / 300 : 1);
  const nodes: string[] = [];
  const constants: TensorProto[] = [];
  for (let i = 0; i < LAYERS; i++) {
    const before = i === 0 ? 'x' : `r${i - 1}`;
    const by = at.includes(i + 1) ? loud : at.includes(i) ? quiet : undefined;
    constants.push(conv(`w${i}`, random, [CHANNELS, i === 0 ? 3 : CHANNELS], by));
    nodes.push(`c${i} = Conv(${before}, w${i})`, `r${i} = LeakyRelu(c${i}){alpha=0.1}`);
  }
  return chain(nodes, constants, `r${LAYERS - 1}`);
}

/**
 * Behind the last convolution large values and small ones come into one tensor, as boxes and scores do in some exports:
 * rounded there, the small ones are gone. No head tensor tells of it.
 */
export function sharedOutput(seed: number): Planted {
  const random = mulberry32(seed);
  const nodes = ['c0 = Conv(x, w0)', 'r0 = Relu(c0)', 'c1 = Conv(r0, w1)', 'r1 = Relu(c1)'];
  const post = ['large = Mul(y, thousand)', 'small = Sigmoid(y)', 'out = Concat(large, small){axis=1}'];
  const constants = [
    conv('w0', random, [CHANNELS, 3]),
    conv('w1', random, [CHANNELS, CHANNELS]),
    conv('whead', random, [6, CHANNELS]),
    floatsToTensor('thousand', [1], Float32Array.of(1000)),
  ];
  return {
    model: modelOf({
      inputs: { x: [1, 3, SIDE, SIDE] },
      outputs: ['out'],
      nodes: [...nodes, 'y = Conv(r1, whead)', ...post],
      constants,
    }),
    culprit: 'out',
  };
}

/** Two branches of very different size meet in a Concat: the convolution behind it reads both under one scale. */
export function sharedScale(seed: number): Planted {
  const random = mulberry32(seed);
  const loud = 200 + 400 * random();
  const nodes = ['c0 = Conv(x, w0)', 'r0 = Relu(c0)'];
  const constants = [conv('w0', random, [CHANNELS, 3])];
  const add = (name: string, from: string, inside: number, by?: Scale): void => {
    constants.push(conv(`w${name}`, random, [CHANNELS, inside], by));
    nodes.push(`c${name} = Conv(${from}, w${name})`, `r${name} = LeakyRelu(c${name}){alpha=0.1}`);
  };
  add('a', 'r0', CHANNELS, () => loud);
  add('b', 'r0', CHANNELS);
  nodes.push('both = Concat(ra, rb){axis=1}');
  add('join', 'both', 2 * CHANNELS, (_out, inside) => (inside < CHANNELS ? 1 / loud : 1));
  add('1', 'rjoin', CHANNELS);
  add('2', 'r1', CHANNELS);
  add('3', 'r2', CHANNELS);
  return { model: chain(nodes, constants, 'r3'), culprit: 'cjoin' };
}

/**
 * Attention whose softmax picks one key, so that a small error of the products picks another. The projections lie in
 * front of the same softmax, and their errors are made larger by it as well: what they read is bounded (Sigmoid), so
 * that INT8 suits them, while queries and keys reach further than most of their values.
 */
export function sharpAttention(seed: number): Planted {
  return attention(
    seed,
    () => 12,
    () => 12,
    'Sigmoid',
  );
}

/**
 * Attention that is sharp because queries and keys are large, behind an activation without a bound. What the product
 * rounds and what the two convolutions in front of it round then reach the logits alike: on 96 other images one of these
 * is truly worse in about one of ten such networks (`node bench/run.mjs planted`).
 */
export function plainAttention(seed: number): Planted {
  return attention(
    seed,
    () => 4,
    () => 4,
  );
}

/**
 * The same attention, of which trained networks have more: queries reach far in channels in which keys are small, and the
 * other way round. The logits stay what they are, and so does what the convolutions in front round; the product reads
 * both under one scale each.
 */
export function spreadAttention(seed: number): Planted {
  const random = mulberry32(seed + 1e6);
  const reach = Array.from({ length: CHANNELS }, () => 4 ** (2 * random() - 1));
  return attention(
    seed,
    (out) => 4 * (reach[out] as number),
    (out) => 4 / (reach[out] as number),
  );
}

/** Sharp attention over queries with one loud channel and keys in which it is quiet: rounded, a query picks another key. */
export function loudAttention(seed: number): Planted {
  const loud = Math.floor(mulberry32(seed)() * CHANNELS);
  return attention(
    seed,
    (out) => (out === loud ? 90 : 3),
    (out) => (out === loud ? 0.1 : 3),
  );
}

function attention(seed: number, query: Scale, key: Scale, activation = 'Relu'): Planted {
  const random = mulberry32(seed);
  const constants = [
    conv('w0', random, [CHANNELS, 3]),
    conv('wq', random, [CHANNELS, CHANNELS], query),
    conv('wk', random, [CHANNELS, CHANNELS], key),
    conv('wv', random, [CHANNELS, CHANNELS]),
  ];
  const nodes = [
    'c0 = Conv(x, w0)',
    `r0 = ${activation}(c0)`,
    'cq = Conv(r0, wq)',
    'ck = Conv(r0, wk)',
    'cv = Conv(r0, wv)',
    'q = Flatten(cq){axis=2}',
    'k = Flatten(ck){axis=2}',
    'v = Flatten(cv){axis=2}',
    'qt = Transpose(q){perm=[1,0]}',
    'qk = MatMul(qt, k)',
    'p = Softmax(qk){axis=1}',
    'pt = Transpose(p){perm=[1,0]}',
    'av = MatMul(v, pt)',
    'o = Relu(av)',
  ];
  return { model: attentionOf(nodes, constants), culprit: 'qk' };
}

function attentionOf(nodes: readonly string[], constants: readonly TensorProto[]): Model {
  const head = floatsToTensor(
    'wh',
    [SIDE * SIDE, 6],
    Float32Array.from({ length: SIDE * SIDE * 6 }, (_, i) => Math.sin(i * 1.7) / 8),
  );
  return modelOf({
    inputs: { x: [1, 3, SIDE, SIDE] },
    outputs: ['y'],
    nodes: [...nodes, 'y = MatMul(o, wh)'],
    constants: [...constants, head],
  });
}

function chain(nodes: readonly string[], constants: readonly TensorProto[], last: string): Model {
  const random = mulberry32(99);
  return modelOf({
    inputs: { x: [1, 3, SIDE, SIDE] },
    outputs: ['y'],
    nodes: [...nodes, `y = Conv(${last}, whead)`],
    constants: [...constants, conv('whead', random, [6, CHANNELS])],
  });
}
