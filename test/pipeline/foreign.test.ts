/** Files by other tools through the whole job: judged as they are, and their layers ranked by removing Q/DQ. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { encodeModel, parseModel } from '../../src/onnx/index.js';
import type { Report } from '../../src/report/index.js';
import { SIGNS, runDist, withFolder } from '../commands/child.js';
import { restored } from '../lint/restore.js';

function reversed(bytes: Uint8Array): Uint8Array {
  const { proto } = parseModel(bytes, 'model.onnx');
  proto.graph?.node.reverse();
  return encodeModel(proto);
}

test.each([
  // FP16 inside, FP32 at its ends; metadata lost. Its nodes in reverse, as Quark leaves some behind what reads them.
  ['modelopt', 87, ['qdq-concat-scales', 'qdq-float-reader', 'qdq-post-processing', 'qdq-node-order']],
  // Opset 13, scales and zero points as Constant nodes.
  ['pytorch-quantization', 85, ['qdq-skip-float']],
])(
  'signs-v10 by %s is judged and ranked',
  (tool, layers, finds) =>
    withFolder(async (folder) => {
      const bytes = await restored(tool);
      await writeFile(join(folder, 'model.onnx'), tool === 'modelopt' ? reversed(bytes) : bytes);
      await writeFile(
        join(folder, 'int8-gate.yml'),
        `version: 1
model: model.onnx
validation: { images: ${join(SIGNS, 'val')}, annotations: ${join(SIGNS, 'val.json')}, limit: 16 }
calibration: { images: ${join(SIGNS, 'calib')}, count: 4 }
gate: { candidate: int8, thresholds: { mAP50-95: { maxDrop: 0.05 } }, resamples: 100 }
sensitivity: { images: 2 }
report: { keepModels: false, images: 0, audit: false }
`,
      );
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
  120_000,
);
