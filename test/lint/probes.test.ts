/** The linter's verdicts held against those of TensorRT 10.6 on the same files (test/oracles/lint_probes.py). */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';
import { lintModel } from '../../src/lint/index.js';
import { parseModel } from '../../src/onnx/index.js';

interface Probe {
  readonly name: string;
  readonly bytes: number;
  readonly verdict: 'built' | 'refused';
  /** What TensorRT said when it refused. */
  readonly says?: string;
  /** The engine's layers with the formats that they give. */
  readonly layers?: readonly string[];
}

const { probes } = JSON.parse(readFileSync('test/lint/golden/probes.json', 'utf8')) as {
  readonly probes: readonly Probe[];
};
const models = gunzipSync(readFileSync('test/lint/golden/probes.onnx.gz'));

/** By probe: what the linter finds, and what of TensorRT's own words (or of the engine's layers) it rests on. */
const CASES: readonly (readonly [name: string, finds: string, rests: RegExp])[] = [
  ['00-base', '', /CaskConvolution w \+ wq_QuantizeLinear \+ y_Conv/],
  ['01-uint8-activation', 'refused unsigned xq xd', /only supports symmetric quantization/],
  ['02-asymmetric-int8', 'refused asymmetric xq xd', /only supports symmetric quantization/],
  ['03-int32-bias', 'refused int32-bias bd', /DequantizeLayer can only run in DataType::kINT8/],
  ['04-int8-weight-dq', '', /wq \+ y_Conv/],
  ['05-int8-constant-dq-add', 'slow constant-rounded cd', /Reformat cd_DequantizeLinear Float/],
  [
    '06-constant-q-dq-add',
    'slow constant-rounded cd',
    /Constant k \+ cq_QuantizeLinear \+ cd_DequantizeLinear/,
  ],
  ['07-no-zero-point', 'note no-zero-point xq', /xq_QuantizeLinear Int8/],
  ['08-per-channel-activation', 'slow activation-per-channel xq xd', /Scale xq_QuantizeLinear/],
  ['09-scale-input', 'refused scale-not-constant xq xd', /All of the candidates were removed/],
  ['10-negative-scale', 'refused scale-value xq xd', /Scale coefficients must all be positive/],
  ['11-zero-scale', 'refused scale-value xq xd', /Scale coefficients must all be positive/],
  ['12-nan-scale', 'refused scale-value xq xd', /Scale coefficients must all be positive/],
  ['13-inf-scale', 'accuracy scale-infinite xd', /y_Conv/],
  ['14-subnormal-scale', 'accuracy scale-subnormal xd', /y_Conv/],
  ['15-q-to-output', 'note integer-output y', /c_Conv Int8/],
  ['16-int8-reshape-before-dq', '', /NoOp r Int8/],
  ['17-int8-constant-reshape-dq', 'refused quantized-constant r', /only allowed before DQ or PLUGIN/],
  ['18-int8-input-dq', '', /Input Tensor 0 to w \+ wq_QuantizeLinear \+ y_Conv Int8/],
  ['19-weight-axis-1', 'accuracy weight-axis y', /w \+ wq_QuantizeLinear \+ y_Conv/],
  ['20-scale-count', 'refused scale-count wq wd', /number of scales is not equal/],
  ['21-input-only', 'slow half-quantized y', /Reformat xd_DequantizeLinear Float/],
  ['22-weight-only', 'slow half-quantized y', /wd_DequantizeLinear \+ y_Conv/],
  ['23-uint8-weights', 'refused unsigned wq wd', /only supports symmetric quantization/],
  ['24-int16', 'refused code-type xq xd', /Failed to import/],
  ['25-dynamic-quantize', 'refused integer-operator dyn ci', /false node 0/],
  ['26-qlinearconv', 'refused integer-operator ql', /false node 1/],
  ['27-convtranspose-axis1-group1', '', /CaskDeconvolutionV2 wt \+ tq_QuantizeLinear \+ ct/],
  ['27-convtranspose-axis1-group4', 'slow grouped-deconvolution ct', /Reformat xd_DequantizeLinear Float/],
  ['28-matmul-axis1', '', /gemm mm/],
  ['29-zero-weight-scale', 'refused scale-value wq wd', /Scale coefficients must all be positive/],
  ['30-microsoft-domain', 'note foreign-domain xq xd', /w \+ wq_QuantizeLinear \+ y_Conv/],
  ['31-identity-zero-point', '', /w \+ wq_QuantizeLinear \+ y_Conv/],
  ['32-qdq-inside-silu', 'slow inside-fusion cq', /PointWiseV2 PWN\(sig, mul\) Int8/],
  [
    '33-concat-different-scales',
    'slow concat-scales cat; slow half-quantized y',
    /Scale ed_DequantizeLinear/,
  ],
  ['34-fp16-scale-fp32-input', 'note scale-type xq wq', /y_Conv/],
  ['35-fp16-all', '', /yh_Conv/],
  ['36-mixed-q-fp32-dq-fp16', '', /yh_Conv/],
  ['37-q-dq-scales-differ', 'accuracy pair-scales xd', /y_Conv/],
  ['38-sigmoid-between', 'slow float-reader xd', /PWN\(sig\) Int8/],
  ['39-float-zero-point-f8-absent', '', /y_Conv/],
  ['40-int8-weight-no-zero-point', '', /wq \+ y_Conv/],
  // Its nodes are out of order, and TensorRT built it.
  [
    '41-scalar-quantized',
    'slow constant-rounded od; note node-order conv',
    /Reformat od_DequantizeLinear Float/,
  ],
];

test('every probe has its case', () => {
  expect(CASES.map(([name]) => name)).toEqual(probes.map(({ name }) => name));
});

test.each(CASES)('%s: %s', (name, finds, rests) => {
  const at = probes.findIndex((probe) => probe.name === name);
  const { bytes, verdict, says, layers } = probes[at] as Probe;
  const offset = probes.slice(0, at).reduce((sum, probe) => sum + probe.bytes, 0);
  const { findings } = lintModel(parseModel(models.subarray(offset, offset + bytes), name));
  const byRule = new Map<string, string[]>();
  for (const { severity, rule, node } of findings) {
    const key = `${severity} ${rule}`;
    byRule.set(key, [...(byRule.get(key) ?? []), node.replace(/_(Quantize|Dequantize)Linear$|_Conv$/, '')]);
  }
  expect([...byRule].map(([key, nodes]) => [key, ...nodes].join(' ')).join('; ')).toBe(finds);
  expect(says ?? layers?.join('\n')).toMatch(rests);
  expect(findings.some(({ severity }) => severity === 'refused')).toBe(verdict === 'refused');
});
