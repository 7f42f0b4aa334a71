/** Nodes in another order than that of their data, as some tools write them. */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { encodeModel, parseModel, readModel, type Model, type NodeProto } from '../../src/onnx/index.js';
import { lintModel } from '../../src/lint/index.js';
import { floatModelOf } from '../../src/quantization/index.js';

const SIGNS = 'fixtures/signs/models/signs-v10.onnx';

/** The model with its nodes in another order, written and read again. */
function reordered(model: Model, order: (nodes: NodeProto[]) => NodeProto[], name = 'x.onnx'): Model {
  const graph = model.proto.graph!;
  const proto = { ...model.proto, graph: { ...graph, node: order([...graph.node]) } };
  return parseModel(encodeModel(proto), name);
}

const inputsAreThere = ({ proto }: Model): boolean => {
  const { node, input, initializer } = proto.graph!;
  const there = new Set(['', ...input.map(({ name }) => name), ...initializer.map(({ name }) => name)]);
  return node.every((one) => {
    const ready = one.input.every((name) => there.has(name));
    for (const name of one.output) there.add(name);
    return ready;
  });
};

test('a file in order is left as it is', async () => {
  const model = await readModel(SIGNS);
  expect(model.early).toBeUndefined();
  expect(Buffer.from(encodeModel(model.proto)).equals(await readFile(SIGNS))).toBe(true);
});

test.each([
  ['reversed', (nodes: NodeProto[]) => nodes.reverse()],
  [
    'shuffled',
    (nodes: NodeProto[]) =>
      nodes
        .map((node, i) => ({ node, at: (i * 7919) % 1009 }))
        .sort((a, b) => a.at - b.at)
        .map(({ node }) => node),
  ],
])('%s nodes are put in order, and none is lost', async (_, order) => {
  const model = await readModel(SIGNS);
  const read = reordered(model, order);
  expect(inputsAreThere(read)).toBe(true);
  expect(read.early!.length).toBeGreaterThan(100);
  const names = (one: Model): string[] => one.proto.graph!.node.map(({ name }) => name);
  expect(names(read).sort()).toEqual(names(model).sort());
});

test('of a node that stands too late its readers alone are early, and the others keep their order', async () => {
  const model = await readModel(SIGNS);
  const { node } = model.proto.graph!;
  const late = node.find(({ name }) => name === '/b1/conv/Conv')!;
  const others = (one: Model): string[] =>
    one.proto.graph!.node.map(({ name }) => name).filter((name) => name !== late.name);
  const read = reordered(model, (nodes) => [...nodes.filter((one) => one !== late), late]);
  expect(read.early).toEqual(
    node.filter(({ input }) => input.includes(late.output[0]!)).map(({ name }) => name),
  );
  expect(others(read)).toEqual(others(model));
  expect(inputsAreThere(read)).toBe(true);
});

test('a Q/DQ file out of order gives the float model, and lint says so', async () => {
  const file = await readModel('test/lint/golden/tiny-quark.onnx');
  const read = reordered(file, (nodes) => nodes.reverse());
  const operators = (one: Model): string[] => floatModelOf(one).proto.graph!.node.map(({ opType }) => opType);
  expect(operators(read).sort()).toEqual(operators(file).sort());
  const told = lintModel(read).findings.filter(({ rule }) => rule === 'node-order');
  expect(told.map(({ node }) => node)).toEqual(read.early);
  expect(told[0]).toMatchObject({ severity: 'note' });
  expect(lintModel(file).findings.map(({ rule }) => rule)).not.toContain('node-order');
});

const nodeOf = (model: Model, name: string): NodeProto =>
  model.proto.graph!.node.find((node) => node.name === name)!;

/** The model with a node's first input changed. */
async function fed(name: string, from: (model: Model) => string): Promise<Model> {
  const model = await readModel(SIGNS);
  return reordered(model, (nodes) =>
    nodes.map((node) =>
      node.name === name ? { ...node, input: [from(model), ...node.input.slice(1)] } : node,
    ),
  );
}

test('a circle is refused, and its nodes are named in the order of the data', async () => {
  await expect(fed('/b0/conv/Conv', (model) => nodeOf(model, '/b1/conv/Conv').output[0]!)).rejects.toThrow(
    /^x\.onnx, node \/b0\/conv\/Conv: the nodes read each other in a circle: \/b0\/conv\/Conv → \/b0\/act\/(Sigmoid → \/b0\/act\/)?Mul → \/b1\/conv\/Conv → \/b0\/conv\/Conv\n/,
  );
  await expect(fed('/b0/act/Mul', (model) => nodeOf(model, '/b0/act/Mul').output[0]!)).rejects.toThrow(
    /in a circle: \/b0\/act\/Mul → \/b0\/act\/Mul\n/,
  );
});

test('two nodes that give one tensor are refused', async () => {
  const model = await readModel(SIGNS);
  const output = nodeOf(model, '/b0/conv/Conv').output;
  const twice = (nodes: NodeProto[]): NodeProto[] =>
    nodes.map((node) => (node.name === '/b1/conv/Conv' ? { ...node, output } : node));
  expect(() => reordered(model, twice)).toThrow(
    /tensor \/b0\/conv\/Conv_output_0: two nodes give it, \/b0\/conv\/Conv and \/b1\/conv\/Conv/,
  );
});
