import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { parseInspector, withTimes, type EngineLayer } from '../../../src/engine/index.js';
import { buildGraph, readModel } from '../../../src/onnx/index.js';
import { layerTimes } from '../../../src/pipeline/engine-times.js';
import { listLayers } from '../../../src/quantization/index.js';

/** An engine of signs-v10 as TensorRT 10.6 described it on a real GPU. */
async function engineOf(name: string): Promise<readonly EngineLayer[]> {
  const bytes = await readFile(`test/engine/tensorrt/engines/${name}.json.gz`);
  const { inspector, profile } = JSON.parse(gunzipSync(bytes).toString()) as {
    inspector: unknown;
    profile: Record<string, number>;
  };
  const times = Object.entries(profile).map(([layer, ms]) => ({ name: layer, ms }));
  return withTimes(parseInspector(inspector) ?? [], times);
}

describe.each(['signs10-weak', 'signs10-implicit', 'signs10-strong'])('%s, as a real GPU ran it', (name) => {
  test('is read whole: precisions, reformats and their time', async () => {
    const layers = await engineOf(name);
    const count = (precision: string): number =>
      layers.filter((one) => !one.reformat && one.precision === precision).length;
    const timed = layers.filter(({ ms }) => ms !== undefined);
    const sum = (all: readonly EngineLayer[]): number =>
      Number(all.reduce((total, { ms }) => total + (ms ?? 0), 0).toFixed(3));
    expect({
      layers: layers.length,
      int8: count('int8'),
      fp16: count('fp16'),
      fp32: count('fp32'),
      other: count('other'),
      reformats: layers.filter(({ reformat }) => reformat).length,
      timed: timed.length,
      ms: sum(timed),
      reformatMs: sum(timed.filter(({ reformat }) => reformat)),
    }).toMatchSnapshot();
  });

  test('gives its time back to the layers of the network, by their ONNX nodes', async () => {
    const graph = buildGraph(await readModel('fixtures/signs/models/signs-v10.onnx'));
    const planned = listLayers(graph, 'tensorrt').map((layer) => ({
      name: layer.name,
      nodes: layer.nodes.map((index) => graph.nodes[index]?.name ?? ''),
      macs: 1,
    }));
    const times = layerTimes(await engineOf(name), planned);
    // Every layer of the plan is found again.
    const lacking = planned.filter((layer) => !times.has(layer.name)).map((layer) => layer.name);
    expect({ found: times.size, lacking }).toMatchSnapshot();
    expect(times.size).toBe(planned.length);
    for (const { ms } of times.values()) expect(ms).toBeGreaterThan(0);
  });
});
