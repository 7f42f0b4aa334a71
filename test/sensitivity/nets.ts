import type { PreprocessingSpec, PreparedImage } from '../../src/dataset/index.js';
import type { ImageFeed } from '../../src/engine/index.js';
import { mulberry32 } from '../../src/evaluation/index.js';
import { floatsToTensor, type Model, type TensorProto } from '../../src/onnx/index.js';
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

/** Images of smooth noise, the same for the same seed. */
export function feedOf(count: number, seed: number): ImageFeed {
  const random = mulberry32(seed);
  const images = Array.from({ length: count }, (): PreparedImage => {
    const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, () => Math.floor(random() * 256));
    const geometry = { scaleX: 1, scaleY: 1, padX: 0, padY: 0, originalWidth: SIDE, originalHeight: SIDE };
    return { pixels, width: SIDE, height: SIDE, geometry };
  });
  return { count, spec, image: (i) => Promise.resolve(images[i] as PreparedImage) };
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
  const channel = Math.floor(random() * CHANNELS);
  const loud: Scale = (out) => (out === channel ? 300 : 1);
  const quiet: Scale = (_out, inside) => (inside === channel ? 1 / 300 : 1);
  const nodes: string[] = [];
  const constants: TensorProto[] = [];
  for (let i = 0; i < LAYERS; i++) {
    const before = i === 0 ? 'x' : `r${i - 1}`;
    const by = i === at - 1 ? loud : i === at ? quiet : undefined;
    constants.push(conv(`w${i}`, random, [CHANNELS, i === 0 ? 3 : CHANNELS], by));
    nodes.push(`c${i} = Conv(${before}, w${i})`, `r${i} = LeakyRelu(c${i}){alpha=0.1}`);
  }
  return { model: chain(nodes, constants, `r${LAYERS - 1}`), culprit: `c${at}` };
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

/** Sharp attention over queries with one loud channel and keys in which it is quiet: rounded, a query picks another key. */
export function sharpAttention(seed: number): Planted {
  const random = mulberry32(seed);
  const loud = Math.floor(random() * CHANNELS);
  return attentionBy(
    random,
    (out) => (out === loud ? 90 : 3),
    (out) => (out === loud ? 0.1 : 3),
  );
}

/**
 * Attention that is sharp because queries and keys are large, no channel louder than another. What the product rounds
 * and what the two convolutions in front of it round then reach the logits alike: any of the three may hurt most.
 */
export function plainAttention(seed: number): Planted & { readonly culprits: readonly string[] } {
  const planted = attentionBy(
    mulberry32(seed),
    () => 4,
    () => 4,
  );
  return { ...planted, culprits: ['qk', 'cq', 'ck'] };
}

function attentionBy(random: () => number, queries: Scale, keys: Scale): Planted {
  const constants = [
    conv('w0', random, [CHANNELS, 3]),
    conv('wq', random, [CHANNELS, CHANNELS], queries),
    conv('wk', random, [CHANNELS, CHANNELS], keys),
    conv('wv', random, [CHANNELS, CHANNELS]),
  ];
  const nodes = [
    'c0 = Conv(x, w0)',
    'r0 = Relu(c0)',
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
