import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import type { GraphProto } from '../../src/onnx/generated/onnx_pb.js';
import {
  encodeModel,
  floatsToTensor,
  halvesToTensor,
  parseModel,
  readModel,
  tensorToFloats,
  type TensorProto,
} from '../../src/onnx/index.js';

/** A file of test/oracles/foreign.py with the weights of signs-v10 back in it, as the tool wrote it. */
export async function restored(tool: string): Promise<Uint8Array> {
  const bytes = gunzipSync(await readFile(`test/lint/golden/signs-v10-${tool}.onnx.gz`));
  const { proto } = parseModel(bytes, `signs-v10-${tool}.onnx`);
  const donor = await readModel('fixtures/signs/models/signs-v10.onnx');
  const weights = new Map(donor.proto.graph?.initializer.map((one) => [one.name, one]));
  const graph = proto.graph as GraphProto;
  graph.initializer = graph.initializer.map((one) => {
    const [, kind, name = ''] = /^(fixture|half):(.*)$/.exec(one.docString) ?? [];
    if (kind === undefined) return one;
    const values = tensorToFloats(weights.get(name) as TensorProto);
    return (kind === 'half' ? halvesToTensor : floatsToTensor)(one.name, one.dims.map(Number), values);
  });
  return encodeModel(proto);
}
