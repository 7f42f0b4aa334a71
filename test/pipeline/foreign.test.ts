/** Files by other tools through the whole job: judged as they are, and their layers ranked by removing Q/DQ. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { TensorProto_DataType } from '../../src/onnx/generated/onnx_pb.js';
import { changed, encodeModel, floatsToTensor, int8Tensor, parseModel } from '../../src/onnx/index.js';
import type { Report } from '../../src/report/index.js';
import { SIGNS, runDist, withFolder } from '../commands/child.js';
import { restored } from '../lint/restore.js';

function reversed(bytes: Uint8Array): Uint8Array {
  const { proto } = parseModel(bytes, 'model.onnx');
  proto.graph?.node.reverse();
  return encodeModel(proto);
}

/** The input's codes as NNCF writes them: UINT8 for 0 to 1, which TensorRT takes as INT8. */
function unsignedInput(bytes: Uint8Array): Uint8Array {
  const { proto } = parseModel(bytes, 'model.onnx');
  const { graph } = proto;
  const quantize = graph?.node.find(
    ({ opType, input }) => opType === 'QuantizeLinear' && input[0] === 'images',
  );
  const dequantize = graph?.node.find(({ input }) => input[0] === quantize?.output[0]);
  if (graph === undefined || quantize === undefined || dequantize === undefined) throw new Error('no Q/DQ');
  for (const node of [quantize, dequantize]) node.input.splice(1, 2, 'step', 'point');
  const point = changed(int8Tensor('point', [], new Int8Array(1)), { dataType: TensorProto_DataType.UINT8 });
  graph.initializer.push(floatsToTensor('step', [], Float32Array.of(1 / 255)), point);
  return encodeModel(proto);
}

const settingsOf = (sensitivity: string, limit = 16): string => `version: 1
model: model.onnx
validation: { images: ${join(SIGNS, 'val')}, annotations: ${join(SIGNS, 'val.json')}, limit: ${limit} }
calibration: { images: ${join(SIGNS, 'calib')}, count: 4 }
gate: { candidate: int8, thresholds: { mAP50-95: { maxDrop: 0.05 } }, resamples: 100 }
sensitivity: ${sensitivity}
report: { keepModels: false, images: 0, audit: false }
`;

test.each([
  // FP16 inside, FP32 at its ends; metadata lost. Its nodes in reverse, as Quark leaves some behind what reads them.
  ['modelopt', 87, ['qdq-concat-scales', 'qdq-float-reader', 'qdq-post-processing', 'qdq-node-order']],
  // Opset 13, scales and zero points as Constant nodes.
  ['pytorch-quantization', 85, ['qdq-skip-float']],
])('signs-v10 by %s is judged and ranked', (tool, layers, finds) =>
  withFolder(async (folder) => {
    const bytes = await restored(tool);
    await writeFile(join(folder, 'model.onnx'), tool === 'modelopt' ? reversed(bytes) : bytes);
    await writeFile(join(folder, 'int8-gate.yml'), settingsOf('{ images: 2 }'));
    const { stdout, stderr } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
    if (stdout === '') throw new Error(stderr);
    const report = JSON.parse(stdout) as Report;
    const { fp32, int8 } = report.variants;
    expect(fp32.stats.AP).toBeGreaterThan(0.85);
    expect(fp32.stats.AP - int8.stats.AP).toBeLessThan(0.05);
    expect(int8.stats).not.toEqual(fp32.stats);
    const ranked = report.sensitivity?.layers.filter(({ sqnr }) => typeof sqnr === 'number') ?? [];
    expect(ranked).toHaveLength(layers);
    expect(ranked.map(({ name }) => name).slice(0, 3)).toContain('/b1/conv/Conv');
    const kinds = report.findings.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(finds));
    // Scales came along: how many images this run looks at sets none of them.
    for (const kind of ['few-calibration-images', 'growing-ranges', 'rounded-reference'])
      expect(kinds).not.toContain(kind);
  }),
);

test('UINT8 is judged as TensorRT reads it: what passes as ONNX means it fails', () =>
  withFolder(async (folder) => {
    const bytes = unsignedInput(await restored('pytorch-quantization'));
    await writeFile(join(folder, 'model.onnx'), bytes);
    await writeFile(join(folder, 'int8-gate.yml'), settingsOf('{ enabled: false, images: 2 }', 24));
    const { status, stdout, stderr } = await runDist('cli.js', ['run', '--json'], { cwd: folder });
    if (stdout === '') throw new Error(stderr);
    const { variants, verdict, findings } = JSON.parse(stdout) as Report;
    expect([status, verdict.kind]).toEqual([1, 'fail']);
    expect(variants.int8.stats.AP).toBeLessThan(variants.fp32.stats.AP - 0.2);
    const told = findings.find(({ kind }) => kind === 'qdq-unsigned');
    expect(told).toMatchObject({ severity: 'error', subject: expect.stringContaining('QuantizeLinear') });
    const [, read, said] =
      /simulated as TensorRT reads the file: over 2 images the head's SQNR is ([\d.-]+) dB, as the file says it would be ([\d.-]+) dB\.$/.exec(
        told?.sentence ?? '',
      ) ?? [];
    expect(Number(said)).toBeGreaterThan(Number(read) + 3);
    // The rule of ranges sees the half that is cut off.
    expect(findings.map(({ sentence }) => sentence).join('\n')).toMatch(/clips .* of images at ±0\.498/);
  }));
