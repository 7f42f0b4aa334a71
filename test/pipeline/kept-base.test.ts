import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cloneModel, encodeModel, readModel } from '../../src/onnx/index.js';
import { shelfOf } from '../../src/pipeline/kept-base.js';
import { loadSettings } from '../../src/settings/index.js';
import { NO_STORE } from '../../src/store/index.js';

let [folder, before] = ['', ''];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kept-base-'));
  before = await keyAt(await project('before'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SETTINGS = `version: 1
model: model.onnx
validation: { images: val, annotations: val.json, limit: 200 }
calibration: { images: calib }
quantization: { plan: plan.json }
gate: { thresholds: { mAP50: { min: 0.1 } } }
`;

/** The signs detector with one tensor of weights in a file beside it, a few images, and a plan. */
async function project(name: string): Promise<string> {
  const at = join(folder, name);
  await mkdir(join(at, 'calib'), { recursive: true });
  await cp('fixtures/signs/val', join(at, 'val'), { recursive: true });
  await cp('fixtures/signs/val.json', join(at, 'val.json'));
  for (const image of ['300000.jpg', '300001.jpg'])
    await cp(join('fixtures/signs/calib', image), join(at, 'calib', image));
  const { proto } = await readModel('fixtures/signs/models/signs-v10.onnx');
  const model = cloneModel(proto);
  const tensor = model.graph?.initializer.find(({ dims }) => dims.length === 4);
  if (tensor === undefined) throw new Error('the model has no convolution');
  await writeFile(join(at, 'weights.bin'), tensor.rawData);
  Object.assign(tensor, {
    rawData: new Uint8Array(0),
    dataLocation: 1,
    externalData: [{ $typeName: 'onnx.StringStringEntryProto', key: 'location', value: 'weights.bin' }],
  });
  await writeFile(join(at, 'model.onnx'), encodeModel(model));
  await writeFile(join(at, 'plan.json'), '{"version":1,"operators":"tensorrt","default":"int8","layers":{}}');
  await writeFile(join(at, 'int8-gate.yml'), SETTINGS);
  return at;
}

/** The key under which a base of the project is kept. */
async function keyAt(at: string): Promise<string> {
  const keys: string[] = [];
  const store = { shelf: (kind: string, key: string) => (keys.push(key), NO_STORE.shelf(kind, key)) };
  const progress = { phase: () => undefined, update: () => undefined, end: () => undefined };
  const context = { signal: new AbortController().signal, out: at, progress, store };
  await shelfOf(await loadSettings(join(at, 'int8-gate.yml')), context);
  return keys.join();
}

const flip = (file: string) => async (at: string) => {
  const bytes = await readFile(join(at, file));
  const last = bytes.length - 1;
  bytes[last] = (bytes[last] ?? 0) ^ 1;
  await writeFile(join(at, file), bytes);
};
const setting = (text: string) => (at: string) => appendFile(join(at, 'int8-gate.yml'), text);
const edit = (file: string, from: string, to: string) => async (at: string) => {
  const text = await readFile(join(at, file), 'utf8');
  expect(text).toContain(from);
  await writeFile(join(at, file), text.replace(from, to));
};

test.each<[string, (at: string) => Promise<void>, boolean]>([
  ['the folder', async () => undefined, true],
  ['the size of the cache', setting('cache: { maxMiB: 7 }\n'), true],
  ['pictures of the report', setting('report: { images: 1 }\n'), true],
  ['a byte of the weights in a file beside the model', flip('weights.bin'), false],
  ['a byte of a calibration image', flip('calib/300001.jpg'), false],
  ['a box', edit('val.json', '"bbox":[144.69', '"bbox":[143.69'), false],
  ['the plan', edit('plan.json', '"int8"', '"fp16"'), false],
  ['a threshold, which steers the search', edit('int8-gate.yml', '0.1', '0.2'), false],
  ['the number of validation images', edit('int8-gate.yml', 'limit: 200', 'limit: 100'), false],
  ['a default that is written out', setting('sensitivity: { enabled: true }\n'), true],
])('the key of a kept base, and %s', async (_, change, same) => {
  const other = await project('other');
  await change(other);
  expect((await keyAt(other)) === before).toBe(same);
  await rm(other, { recursive: true });
});
