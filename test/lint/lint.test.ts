import { describe, expect, test } from '@jest/globals';
import { formatLint, lintModel, type LintSeverity } from '../../src/lint/index.js';
import { quantize, tensorsToCalibrate, toStrong } from '../../src/quantization/index.js';
import { buildGraph, encodeModel, parseModel, readModel } from '../../src/onnx/index.js';
import { modelOf } from '../quantization/graphs.js';
import { ACCURACY_CASES, CASES, scalar, scales, zero, zeros } from './cases.js';

const rulesOf = (
  findings: readonly { severity: LintSeverity; rule: string }[],
  severity: LintSeverity,
): string[] =>
  [...new Set(findings.filter((one) => one.severity === severity).map(({ rule }) => rule))].sort();

describe('files by onnxruntime.quantization and NNCF', () => {
  test.each([
    ['conv', 'Q/DQ', [], ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing']],
    [
      'conv-bias',
      'Q/DQ',
      ['int32-bias'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'asymmetric',
      'Q/DQ',
      ['asymmetric'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'all-ops',
      'Q/DQ',
      ['int32-bias', 'quantized-constant'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'default',
      'Q/DQ',
      ['asymmetric', 'int32-bias', 'quantized-constant'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    [
      'contrib',
      'Q/DQ',
      ['int32-bias'],
      ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing'],
    ],
    ['int16', 'Q/DQ', ['code-type'], ['concat-scales', 'float-reader', 'inside-fusion', 'post-processing']],
    ['nncf', 'Q/DQ', [], ['concat-dq']],
    ['operators', 'operators', ['integer-operator'], []],
    ['dynamic', 'dynamic', ['integer-operator'], []],
  ] as const)('%s', async (name, style, refused, slow) => {
    const result = lintModel(await readModel(`test/lint/golden/${name}.onnx`));
    expect(result.producer).toMatch(name === 'nncf' ? /^tiny/ : /^onnx\.quantize/);
    expect(result.style).toBe(style);
    expect(rulesOf(result.findings, 'refused')).toEqual(refused);
    expect(rulesOf(result.findings, 'misread')).toEqual(name === 'nncf' ? ['unsigned'] : []);
    expect(rulesOf(result.findings, 'slow')).toEqual(slow);
  });

  test('are told of in words', async () => {
    expect(formatLint(lintModel(await readModel('test/lint/golden/all-ops.onnx'))))
      .toContain(`TensorRT refuses this:
  int32-bias (4)
    body_b_DequantizeLinear
    head_b_DequantizeLinear
    neck_b_DequantizeLinear
    stem_b_DequantizeLinear
    each dequantizes INT32, a bias: TensorRT takes biases in float alone
    → Keep biases in float (onnxruntime.quantization: \`extra_options={"QuantizeBias": False}\`).
`);
  });
});

test.each(['weak', 'strong'])('int8-gate finds nothing in its own %s files', async (flavour) => {
  const model = await readModel('fixtures/signs/models/signs-v10.onnx');
  const ranges = new Map(
    tensorsToCalibrate(buildGraph(model), 'tensorrt').map((name, i) => [
      name,
      { amax: 1 + (i % 7), min: 0, max: 1, calibrator: '' },
    ]),
  );
  const plan = { version: 1, operators: 'tensorrt', default: 'int8', layers: {} } as const;
  const head = [
    '/one2one/cv2.*.2/Conv',
    '/one2one/cv3.*.2/Conv',
    '/b10/attn/MatMul*',
    '/b10/attn/pe/conv/Conv',
  ];
  const layers = Object.fromEntries(head.map((name) => [name, 'fp16' as const]));
  const weak = quantize(model, { ...plan, layers }, ranges).proto;
  const proto =
    flavour === 'weak' ? weak : toStrong(weak, { name: 'x', fp32: new Set(), reach: new Map() }).proto;
  const result = lintModel(parseModel(encodeModel(proto), 'own.onnx'));
  expect(result.findings).toEqual([]);
  expect(result.layers).toEqual({ int8: 78, all: 87 });
});

test.each([...CASES, ...ACCURACY_CASES])(
  '$what',
  ({ nodes, constants = [], outputs = ['y'], finds, ...rest }) => {
    const given = new Set(constants.map(({ name }) => name));
    const common = [scalar('s', 0.05), zero, scales, zeros].filter(({ name }) => !given.has(name));
    const { findings } = lintModel(
      modelOf({ nodes, outputs, constants: [...constants, ...common], ...rest }),
    );
    expect(findings.map(({ severity, rule, node }) => `${severity} ${rule} ${node}`)).toEqual(finds);
    for (const { why, fix } of findings) expect(`${why} ${fix}`).not.toMatch(/undefined|NaN channels/);
  },
);

test('a float model has no findings', async () => {
  const result = lintModel(await readModel('fixtures/signs/models/signs-v8.onnx'));
  expect(result).toMatchObject({ style: 'none', findings: [], layers: { int8: 0 } });
});
