/** The report as one JSON Schema: the source of its types and of the committed docs/report.schema.json. */
import { auditSchema } from './audit-schema.js';
import { baseSchema, historySchema, settingsChangesSchema, waiversSchema } from './base-schema.js';
import { calibratorSections } from './calibrator-schema.js';
import { pictureSections } from './picture-schema.js';
import { planSection, searchPoints } from './plan-schema.js';
import { nullable, number, object, text, texts } from './schema-parts.js';

const drop = object({ drop: number, low: nullable, high: nullable }, ['drop', 'low', 'high']);

const variant = object(
  {
    stats: object(
      {
        AP: number,
        AP50: number,
        AP75: number,
        APs: number,
        APm: number,
        APl: number,
        AR1: number,
        AR10: number,
        AR100: number,
        ARs: number,
        ARm: number,
        ARl: number,
      },
      ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl'],
    ),
    perClass: {
      type: 'array',
      items: object({ name: text, AP: number, AP50: number, AR100: number, boxes: number }, [
        'name',
        'AP',
        'AP50',
        'AR100',
        'boxes',
      ]),
    },
    detections: number,
    /** Weights as deployed: one byte in INT8 layers, two in float layers of a quantized engine, four in FP32. */
    weightBytes: number,
    latency: object({ medianMs: number, p99Ms: number }, ['medianMs', 'p99Ms']),
    distances: object(
      {
        scoreDivergence: number,
        detectionRatio: number,
        boxShift: number,
        scoreShift: number,
        unmatched: number,
      },
      ['scoreDivergence', 'detectionRatio', 'boxShift', 'scoreShift', 'unmatched'],
    ),
    /** dB; null when outputs equal FP32's or are not finite. */
    sqnr: nullable,
    drop,
    drop50: drop,
    int8Layers: number,
    floatLayers: number,
  },
  ['stats', 'perClass', 'detections', 'weightBytes'],
);

const check = object(
  {
    kind: { enum: ['pass', 'fail', 'inconclusive', 'missing'] },
    metric: text,
    subject: text,
    limit: text,
    value: nullable,
    drop: number,
    interval: { type: 'array', items: number, minItems: 2, maxItems: 2 },
    method: { enum: ['percentile', 'bca'] },
    confidence: number,
    images: number,
    imagesToDecide: number,
    /** What a drop is measured from; FP32 when left out. */
    against: { enum: ['fp32', 'base'] },
    /** It passes because of a waiver. */
    waived: { type: 'boolean' },
    sentence: text,
  },
  ['kind', 'metric', 'limit', 'value', 'sentence'],
);

/** Draft 2020-12. */
export const reportSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'int8-gate report',
  ...object(
    {
      schema: { const: 'int8-gate/report' },
      version: { const: 1 },
      tool: object({ name: text, version: text }, ['name', 'version']),
      createdAt: text,
      durationMs: number,
      model: object(
        {
          file: text,
          digest: text,
          structure: text,
          opset: number,
          inputs: texts,
          outputs: texts,
          sizeBytes: number,
          layers: number,
          macs: nullable,
        },
        ['file', 'digest', 'structure', 'opset', 'inputs', 'outputs', 'sizeBytes', 'layers', 'macs'],
      ),
      decoder: object({ format: text, why: texts }, ['format', 'why']),
      preprocessing: object({ spec: { type: 'object', additionalProperties: true }, reasons: texts }, [
        'spec',
        'reasons',
      ]),
      data: object(
        {
          validation: object(
            {
              source: text,
              images: number,
              boxes: number,
              categories: texts,
              skipped: { type: 'array', items: object({ what: text, count: number }, ['what', 'count']) },
              /** SHA-256 over classes, boxes, and names and content of the images. */
              digest: text,
            },
            ['source', 'images', 'boxes', 'categories', 'skipped'],
          ),
          calibration: object(
            {
              source: text,
              images: number,
              calibrator: text,
              /** Of each image's file, 16 digits of its SHA-256, in ascending order. */
              digests: texts,
              /** Further calibration images, on which choices were made. */
              heldBack: number,
            },
            ['source', 'images', 'calibrator'],
          ),
        },
        ['validation', 'calibration'],
      ),
      engine: object({ name: text, version: text, threads: number }, ['name', 'version', 'threads']),
      variants: object({ fp32: variant, int8: variant, mixed: variant }, ['fp32', 'int8']),
      sensitivity: object(
        {
          images: number,
          layers: {
            type: 'array',
            items: object(
              {
                rank: number,
                name: text,
                opType: text,
                depth: number,
                /** dB with this layer alone in INT8; null when nothing changed or the output was not finite. */
                sqnr: nullable,
                mapDrop: nullable,
                macShare: nullable,
                /** Share of the bytes that layers move for one image: weights, what they read, what they give. */
                byteShare: nullable,
                parameters: number,
                precision: { enum: ['int8', 'fp16', 'fp32'] },
                head: { type: 'boolean' },
                /** Tells the layer in another export: operator, attributes, shapes, neighbours. */
                structure: text,
                /** 16 digits of the SHA-256 of its group's weights. */
                weights: text,
                /** Further layers of its group, which change precision with it. */
                together: texts,
                /** Images that ranked it: fewer than all when it was surely harmless. */
                images: number,
                /** Places that it takes in the middle 80 % of rankings on resampled images. */
                place: object({ low: number, high: number }, ['low', 'high']),
                mapDropLow: nullable,
                mapDropHigh: nullable,
                boxShift: number,
                scoreShift: number,
                /** dB with only its weights, or only its input, in INT8. */
                weightsSqnr: nullable,
                activationsSqnr: nullable,
                /** dB of its own output from an exact input, and when everything runs in INT8. */
                localSqnr: nullable,
                cumulativeSqnr: nullable,
                /** dB that the output gains when all but this runs in INT8. */
                gain: nullable,
                /** Tensors that it reads in INT8, with their ranges and scales. */
                reads: {
                  type: 'array',
                  items: object({ tensor: text, amax: number, scale: number }, ['tensor', 'amax', 'scale']),
                },
                /** Milliseconds of a batch in the judged engine, the precision that it really has there, and FP16's time. */
                engine: object(
                  { ms: number, got: { enum: ['int8', 'fp16', 'fp32', 'other'] }, fp16Ms: nullable },
                  ['ms', 'got', 'fp16Ms'],
                ),
                cause: text,
              },
              [
                'rank',
                'name',
                'opType',
                'depth',
                'sqnr',
                'mapDrop',
                'macShare',
                'parameters',
                'precision',
                'head',
              ],
            ),
          },
        },
        ['images', 'layers'],
      ),
      /** Real engines, where they were built; the verdict is about them then. */
      engines: object(
        {
          library: text,
          gpu: text,
          computeCapability: text,
          driver: text,
          cuda: text,
          clockMHz: nullable,
          powerState: { type: ['string', 'null'] },
          noise: texts,
          /** What slowed the GPU down while engines were timed, by nvidia-smi's names; null where it does not tell. */
          slowdowns: { ...texts, type: ['array', 'null'] },
          rows: {
            type: 'array',
            items: object(
              {
                variant: { enum: ['fp32', 'fp16', 'int8', 'mixed', 'implicit'] },
                AP: number,
                AP50: number,
                simulatedAP: nullable,
                /** mAP50-95 of the FP32 engine minus this one's. */
                drop: nullable,
                batch: number,
                /** Milliseconds of a batch, without copies to and from the GPU. */
                medianMs: number,
                p99Ms: number,
                graphMedianMs: nullable,
                imagesPerSecond: number,
                engineBytes: number,
                /** Null where it was not measured. */
                deviceBytes: nullable,
                buildSeconds: number,
                layers: {
                  ...object({ int8: number, fp16: number, fp32: number, reformats: number }, [
                    'int8',
                    'fp16',
                    'fp32',
                    'reformats',
                  ]),
                  type: ['object', 'null'],
                },
                reformatMs: nullable,
                notInt8: {
                  type: 'array',
                  items: object(
                    { layer: text, got: { enum: ['int8', 'fp16', 'fp32', 'other'] }, ms: nullable },
                    ['layer', 'got', 'ms'],
                  ),
                },
              },
              [
                'variant',
                'AP',
                'AP50',
                'simulatedAP',
                'drop',
                'batch',
                'medianMs',
                'p99Ms',
                'graphMedianMs',
                'imagesPerSecond',
                'engineBytes',
                'deviceBytes',
                'buildSeconds',
                'layers',
                'reformatMs',
                'notInt8',
              ],
            ),
          },
        },
        ['library', 'gpu', 'computeCapability', 'driver', 'cuda', 'clockMHz', 'powerState', 'noise', 'rows'],
      ),
      /** Changes of the network that were tried on calibration images held back: dB of the head in INT8 without and with them. */
      corrections: {
        type: 'array',
        items: object(
          {
            kind: { enum: ['bias-correction', 'equalization'] },
            applied: { type: 'boolean' },
            /** Layers, or pairs of layers. */
            count: number,
            before: nullable,
            after: nullable,
            /** Why it was refused. */
            reason: text,
          },
          ['kind', 'applied', 'count', 'before', 'after'],
        ),
      },
      ...calibratorSections,
      /** Every plan that was tried. */
      search: searchPoints,
      plan: planSection,
      ...pictureSections,
      audit: auditSchema,
      findings: {
        type: 'array',
        items: object(
          {
            kind: text,
            severity: { enum: ['error', 'warning', 'info'] },
            subject: text,
            sentence: text,
            advice: text,
            /** Layers concerned. */
            layers: texts,
            /** The numbers behind the sentence. */
            evidence: { type: 'object', additionalProperties: number },
          },
          ['kind', 'severity', 'subject', 'sentence', 'advice'],
        ),
      },
      base: baseSchema,
      waivers: waiversSchema,
      settingsChanges: settingsChangesSchema,
      history: historySchema,
      verdict: object(
        {
          kind: { enum: ['pass', 'fail', 'inconclusive'] },
          blocks: { type: 'boolean' },
          candidate: { enum: ['mixed', 'int8'] },
          why: text,
          todo: texts,
          checks: { type: 'array', items: check },
        },
        ['kind', 'blocks', 'candidate', 'why', 'todo', 'checks'],
      ),
    },
    [
      'schema',
      'version',
      'tool',
      'createdAt',
      'durationMs',
      'model',
      'decoder',
      'preprocessing',
      'data',
      'engine',
      'variants',
      'findings',
      'verdict',
    ],
  ),
} as const;
