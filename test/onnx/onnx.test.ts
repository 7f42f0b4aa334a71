import { describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  buildGraph,
  cloneModel,
  encodeModel,
  exposeOutputs,
  parseModel,
  readModel,
  structureDigest,
  tensorToFloats,
} from '../../src/onnx/index.js';

const MODELS = ['signs-v10', 'signs-v8'] as const;
const pathOf = (name: string): string => `fixtures/signs/models/${name}.onnx`;
const input = () =>
  new Tensor(
    'float32',
    Float32Array.from({ length: 3 * 192 * 192 }, (_, i) => (Math.imul(i, 2654435761) >>> 0) / 2 ** 32),
    [1, 3, 192, 192],
  );

async function outputOf(bytes: Uint8Array, name = 'output0'): Promise<Uint8Array> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const { data } = (await session.run({ images: input() }, [name]))[name] as Tensor;
  await session.release();
  const floats = data as Float32Array;
  return new Uint8Array(floats.buffer.slice(floats.byteOffset, floats.byteOffset + floats.byteLength));
}

describe.each(MODELS)('%s', (name) => {
  test('read and written again gives the same outputs to the bit', async () => {
    const [original, model] = await Promise.all([readFile(pathOf(name)), readModel(pathOf(name))]);
    expect(await outputOf(encodeModel(model.proto))).toEqual(await outputOf(original));
  });

  test('exposes an inner tensor without changing the output', async () => {
    const { proto } = await readModel(pathOf(name));
    const bytes = encodeModel(exposeOutputs(proto, ['/b0/act/Mul_output_0']));
    expect(await outputOf(bytes, '/b0/act/Mul_output_0')).toHaveLength(16 * 96 * 96 * 4);
    expect(proto.graph?.output).toHaveLength(1);
  });
});

describe('the graph', () => {
  test('knows producers, consumers, types and constants', async () => {
    const graph = buildGraph(await readModel(pathOf('signs-v10')));
    expect(graph.producerOf('output0')?.opType).toBe('Concat');
    expect(graph.consumersOf('images').map(({ opType }) => opType)).toContain('Conv');
    expect(graph.isFloat('/b0/act/Mul_output_0')).toBe(true);
    const shapes = graph.nodes
      .filter(({ opType }) => opType === 'Shape')
      .map(({ outputs }) => outputs[0] as string);
    expect(shapes.length).toBeGreaterThan(0);
    for (const tensor of shapes) expect(graph.isFloat(tensor)).toBe(false);
  });

  test('infers the same types where the file says nothing', async () => {
    const model = await readModel(pathOf('signs-v10'));
    const stated = buildGraph(model);
    const bare = buildGraph({ proto: { ...model.proto, graph: { ...model.proto.graph!, valueInfo: [] } } });
    for (const { outputs } of stated.nodes)
      for (const tensor of outputs)
        expect([tensor, bare.elementType(tensor)]).toEqual([tensor, stated.elementType(tensor)]);
  });

  test('structure digest: names and weights do not matter, operators do', async () => {
    const { proto, structure } = await readModel(pathOf('signs-v10'));
    const renamed = cloneModel(proto);
    const graph = renamed.graph!;
    const rename = (name: string): string => (name === '' || name === 'images' ? name : `x${name}`);
    for (const node of graph.node)
      [node.input, node.output, node.name] = [
        node.input.map(rename),
        node.output.map(rename),
        `n${node.name}`,
      ];
    for (const tensor of graph.initializer) tensor.name = rename(tensor.name);
    for (const out of graph.output) out.name = rename(out.name);
    expect(structureDigest(graph)).toBe(structure);
    graph.node[3]!.opType = 'Tanh';
    expect(structureDigest(graph)).not.toBe(structure);
  });
});

describe('reading', () => {
  const withFolder = async (job: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-onnx-'));
    try {
      await job(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  test.each([
    ['nothing', new Uint8Array(0), /x\.onnx: the file is empty/],
    ['text', Buffer.from('<!DOCTYPE html>'), /x\.onnx: is no ONNX model/],
    [
      'a pointer of Git LFS',
      Buffer.from('version https://git-lfs.github.com/spec/v1'),
      /x\.onnx: is a pointer of Git LFS.*\n.*git lfs pull/,
    ],
  ])('%s is refused', (_, bytes, message) => expect(() => parseModel(bytes, 'x.onnx')).toThrow(message));

  test('a truncated model is refused', async () => {
    const bytes = await readFile(pathOf('signs-v10'));
    expect(() => parseModel(bytes.subarray(0, bytes.length / 2), 'x.onnx')).toThrow(/cut short/);
  });

  test('a missing file and a folder are named', async () => {
    await expect(readModel('no/such.onnx')).rejects.toThrow('no/such.onnx: there is no such file');
    await expect(readModel('fixtures')).rejects.toThrow('fixtures: is a folder, expected an .onnx file');
  });

  test('external weights are read from beside the model, and from nowhere else', () =>
    withFolder(async (folder) => {
      const { proto } = await readModel(pathOf('signs-v10'));
      const moved = cloneModel(proto);
      const tensor = moved.graph!.initializer.find(({ dims }) => dims.length === 4)!;
      const before = tensorToFloats(tensor);
      await mkdir(join(folder, 'in'));
      await writeFile(join(folder, 'in', 'weights.bin'), tensor.rawData);
      const write = async (location: string): Promise<string> => {
        Object.assign(tensor, {
          rawData: new Uint8Array(0),
          dataLocation: 1,
          externalData: [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: location }],
        });
        await writeFile(join(folder, 'in', 'model.onnx'), encodeModel(moved));
        return join(folder, 'in', 'model.onnx');
      };
      const model = await readModel(await write('weights.bin'));
      expect(model.inlined).toBe(true);
      expect(
        tensorToFloats(model.proto.graph!.initializer.find(({ name }) => name === tensor.name)!),
      ).toEqual(before);
      await expect(readModel(await write('../in/../../secret'))).rejects.toThrow(
        /the path leaves the folder of the model/,
      );
      await expect(readModel(await write('gone.bin'))).rejects.toThrow(/the file of weights is missing/);
      await symlink('/etc/hostname', join(folder, 'in', 'link.bin'));
      await expect(readModel(await write('link.bin'))).rejects.toThrow(/is a link that leaves the folder/);
      await symlink('/dev/zero', join(folder, 'in', 'zero.bin'));
      await expect(readModel(await write('zero.bin'))).rejects.toThrow(/is a link that leaves the folder/);
      await expect(readModel(await write('.'))).rejects.toThrow(/or no file/);
      await Promise.all(['link.bin', 'zero.bin'].map((name) => rm(join(folder, 'in', name))));
      expect((await readdir(join(folder, 'in'))).sort()).toEqual(['model.onnx', 'weights.bin']);
    }));

  test('a cache of models that links model and weights into one folder is read', () =>
    withFolder(async (folder) => {
      const { proto } = await readModel(pathOf('signs-v10'));
      const moved = cloneModel(proto);
      const tensor = moved.graph!.initializer.find(({ dims }) => dims.length === 4)!;
      await Promise.all(['blobs', 'snapshot'].map((name) => mkdir(join(folder, name))));
      await writeFile(join(folder, 'blobs', 'b'), tensor.rawData);
      Object.assign(tensor, {
        rawData: new Uint8Array(0),
        dataLocation: 1,
        externalData: [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: 'weights.bin' }],
      });
      await writeFile(join(folder, 'blobs', 'a'), encodeModel(moved));
      await symlink('../blobs/a', join(folder, 'snapshot', 'model.onnx'));
      await symlink('../blobs/b', join(folder, 'snapshot', 'weights.bin'));
      expect((await readModel(join(folder, 'snapshot', 'model.onnx'))).inlined).toBe(true);
    }));

  test.each([
    ['offset', '-8'],
    ['length', '-1'],
    ['offset', 'NaN'],
    ['length', '1e300'],
  ])('external weights with %s %s are refused', (key, value) =>
    withFolder(async (folder) => {
      const { proto } = await readModel(pathOf('signs-v10'));
      const moved = cloneModel(proto);
      const tensor = moved.graph!.initializer.find(({ dims }) => dims.length === 4)!;
      await writeFile(join(folder, 'weights.bin'), tensor.rawData);
      const entry = (name: string, text: string) =>
        ({ $typeName: 'onnx.StringStringEntryProto', key: name, value: text }) as const;
      Object.assign(tensor, {
        rawData: new Uint8Array(0),
        dataLocation: 1,
        externalData: [entry('location', 'weights.bin'), entry(key, value)],
      });
      await writeFile(join(folder, 'model.onnx'), encodeModel(moved));
      await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(/needs bytes .*, the file has/);
    }),
  );

  test('a tensor of an attribute that is kept outside the file is refused', () =>
    withFolder(async (folder) => {
      const { proto } = await readModel(pathOf('signs-v10'));
      const moved = cloneModel(proto);
      const tensor = cloneModel(proto).graph!.initializer[0]!;
      Object.assign(tensor, {
        name: 'stray',
        dataLocation: 1,
        externalData: [
          { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: '../../etc/passwd' },
        ],
      });
      const node = moved.graph!.node.find(({ attribute }) => attribute.length > 0)!;
      node.attribute[0]!.t = tensor;
      await writeFile(join(folder, 'model.onnx'), encodeModel(moved));
      await expect(readModel(join(folder, 'model.onnx'))).rejects.toThrow(
        /tensor stray: is kept outside the file/,
      );
    }));
});
