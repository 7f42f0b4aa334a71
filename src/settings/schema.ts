/** The settings file as one JSON Schema: the single source for types, defaults, messages, editor completion and docs. */
import { decoderAnchors, decoderFormat, decoderOutputs } from './decoder-schema.js';
import { auditSchema } from './audit-schema.js';
import { engineSchema } from './engine-schema.js';
import { sensitivitySchema } from './sensitivity-schema.js';
import { fraction, positive, thresholdsSchema } from './threshold-schema.js';

const triple = (description: string) =>
  ({ type: 'array', items: { type: 'number' }, minItems: 3, maxItems: 3, description }) as const;

/** Draft 2020-12. Paths are relative to the settings file. */
export const settingsSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'int8-gate settings',
  description: 'What int8-gate judges, on which data, and how strictly.',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'model', 'validation', 'calibration', 'gate'],
  properties: {
    version: { const: 1, description: 'Version of this format.' },
    model: { type: 'string', minLength: 1, description: 'The FP32 detector, an .onnx file.' },
    decoder: {
      description: 'How outputs become boxes. `auto` finds out from metadata, names and shapes.',
      default: 'auto',
      anyOf: [
        { const: 'auto' },
        {
          type: 'object',
          additionalProperties: false,
          properties: {
            format: decoderFormat,
            confidence: fraction(
              'Detections at or below this score are dropped. Keep it low: mAP needs the tail.',
            ),
            iou: fraction('Overlap above which non-maximum suppression drops a box of the same class.'),
            maxDetections: { type: 'integer', minimum: 1, description: 'Most detections kept per image.' },
            classes: {
              type: 'array',
              items: { type: 'string' },
              minItems: 1,
              description: 'Class names in the order of the model.',
            },
            outputs: decoderOutputs,
            anchors: decoderAnchors,
          },
        },
      ],
    },
    preprocessing: {
      description: 'How pixels become the input. `auto` follows the family of the detector.',
      default: 'auto',
      anyOf: [
        { const: 'auto' },
        {
          type: 'object',
          additionalProperties: false,
          properties: {
            resize: {
              enum: ['letterbox', 'letterbox-top-left', 'stretch', 'shortest-side'],
              description: 'How the image is fitted.',
            },
            height: { type: 'integer', minimum: 1, description: 'Input height in pixels.' },
            width: { type: 'integer', minimum: 1, description: 'Input width in pixels.' },
            shortSide: {
              type: 'integer',
              minimum: 1,
              description:
                'With `shortest-side`: what the short side becomes; that of the input when left out.',
            },
            longSide: {
              type: 'integer',
              minimum: 1,
              description:
                'With `shortest-side`: what the long side is at most; that of the input when left out.',
            },
            margin: {
              type: 'integer',
              minimum: 0,
              description:
                'With `letterbox`: pixels of height and width that the image leaves free at least.',
            },
            interpolation: {
              enum: ['opencv', 'opencv-cubic', 'pil'],
              description: 'cv2.INTER_LINEAR, cv2.INTER_CUBIC, or the antialiased bilinear of Pillow.',
            },
            color: { enum: ['rgb', 'bgr'], description: 'Order of channels.' },
            pad: { type: 'integer', minimum: 0, maximum: 255, description: 'Value of padded pixels.' },
            scale: positive('input = (pixel * scale - mean) / std.'),
            mean: triple('Per channel.'),
            std: triple('Per channel.'),
            layout: { enum: ['nchw', 'nhwc'], description: 'Order of dimensions.' },
            dtype: { enum: ['float32', 'float16', 'uint8'], description: 'Element type.' },
            exif: { type: 'boolean', description: 'Turn images as their EXIF orientation says.' },
          },
        },
      ],
    },
    validation: {
      type: 'object',
      description: 'The labelled images that mAP is measured on.',
      additionalProperties: false,
      required: ['annotations'],
      properties: {
        format: {
          enum: ['auto', 'coco', 'yolo', 'voc'],
          default: 'auto',
          description: 'Format of the annotations; `auto` tells by names of files.',
        },
        annotations: {
          type: 'string',
          minLength: 1,
          description:
            'COCO instances .json; YOLO data.yaml, or a folder of label files with a classes.txt; or a folder of Pascal VOC .xml files, or a list in its `ImageSets/Main`.',
        },
        images: {
          type: 'string',
          minLength: 1,
          description:
            'Folder of the images. May be left out where the format tells: a data.yaml, JPEGImages beside VOC annotations.',
        },
        split: {
          enum: ['train', 'val', 'test'],
          default: 'val',
          description:
            'Split of a YOLO data.yaml (without effect when `images` is given), or the list in `ImageSets/Main` of a Pascal VOC folder.',
        },
        limit: {
          type: 'integer',
          minimum: 1,
          description:
            'Use only this many images, chosen by the seed, classes in about the proportions of the set. For trying things out.',
        },
      },
    },
    calibration: {
      type: 'object',
      description: 'The images that ranges are taken from, and how.',
      additionalProperties: false,
      required: ['images'],
      properties: {
        images: { type: 'string', minLength: 1, description: 'Folder of images; no labels needed.' },
        count: {
          type: 'integer',
          minimum: 1,
          description: 'Use only this many, spread evenly over the folder. All when left out.',
        },
        calibrator: {
          enum: ['minmax', 'average', 'percentile', 'entropy', 'mse', 'best'],
          default: 'percentile',
          description:
            'How a range is chosen. `average`: extremes averaged over images. `entropy`: as TensorRT’s entropy calibrator 2. `best`: for each tensor the one with the least error of the network’s output on an eighth of the images, which is held back; one for all tensors where that leaves detections nearer to FP32’s.',
        },
        percentile: {
          type: 'number',
          exclusiveMinimum: 50,
          maximum: 100,
          default: 99.999,
          description: 'Share of values kept by the percentile calibrator, in percent.',
        },
        batch: {
          type: 'integer',
          minimum: 1,
          default: 1,
          description:
            'Images that TensorRT would calibrate at once: `entropy` lays its bins by the first batch.',
        },
        cache: {
          type: 'string',
          minLength: 1,
          description:
            'A calibration cache to take ranges from, as TensorRT up to 10 or `int8-gate quantize` writes it, in place of the calibrator.',
        },
      },
    },
    quantization: {
      type: 'object',
      description: 'What runs in INT8.',
      additionalProperties: false,
      default: {},
      properties: {
        operators: {
          description:
            '`tensorrt`: placement that TensorRT fuses. `all`: every operator, as naive tools do. Or a list of operators.',
          default: 'tensorrt',
          anyOf: [{ enum: ['tensorrt', 'all'] }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
        },
        head: {
          enum: ['float', 'int8', 'test'],
          description:
            'The last convolutions before post-processing. Default: float with `tensorrt`, int8 otherwise. `test`: float, and the report says what INT8 would cost there.',
        },
        flavour: {
          enum: ['weak', 'strong', 'both'],
          default: 'weak',
          description:
            'What is written: `weak` = FP32 with Q/DQ, for TensorRT 8.6 to 10 built with INT8 and FP16; `strong` = FP16 with Q/DQ, opset 19, for strongly typed TensorRT 10 and 11.',
        },
        biasCorrection: {
          enum: ['auto', 'off'],
          default: 'auto',
          description:
            'Biases of INT8 layers make up for what rounding and clipping do to the mean of each output channel. `auto`: kept only where it lowers the error on calibration images held back.',
        },
        equalization: {
          enum: ['auto', 'off'],
          default: 'auto',
          description:
            'Cross-layer equalization: pairs of convolutions share their ranges out between channels. `auto`: kept only where it lowers the error on calibration images held back; detectors with SiLU have few pairs or none.',
        },
        keepFloat: {
          type: 'array',
          items: { type: 'string' },
          default: [],
          description: 'Layers that stay float, by name; `*` matches any run of characters.',
        },
        reference: {
          type: 'string',
          minLength: 1,
          description:
            'The FP32 detector that a model with Q/DQ is compared with. Default: the model itself without its Q/DQ.',
        },
        plan: {
          type: 'string',
          minLength: 1,
          description: 'A committed precision plan. With it nothing is searched: the plan is checked.',
        },
      },
    },
    engine: engineSchema,
    gate: {
      type: 'object',
      description: 'What passes.',
      additionalProperties: false,
      required: ['thresholds'],
      properties: {
        candidate: {
          enum: ['mixed', 'int8'],
          default: 'mixed',
          description: 'The engine that you ship and that is judged.',
        },
        thresholds: thresholdsSchema,
        confidence: {
          type: 'number',
          exclusiveMinimum: 0.5,
          exclusiveMaximum: 1,
          default: 0.95,
          description: 'Level of the intervals.',
        },
        resamples: {
          type: 'integer',
          minimum: 100,
          maximum: 100000,
          default: 1000,
          description: 'Bootstrap resamples of the images.',
        },
        interval: {
          enum: ['bca', 'percentile'],
          default: 'bca',
          description: 'How the interval is taken from the resamples; `bca` corrects bias and skewness.',
        },
        inconclusive: {
          enum: ['fail', 'pass'],
          default: 'fail',
          description: 'What an interval that straddles a limit means.',
        },
        waivers: {
          type: 'string',
          minLength: 1,
          description: 'A committed file of waivers: drops that somebody allows for a while.',
        },
        baseMissing: {
          enum: ['fail', 'pass'],
          default: 'fail',
          description:
            'What it means that there is no base to compare with, though `thresholds.base` asks for one, or that it cannot be measured. A base without a settings file is told and lets pass.',
        },
        seed: {
          type: 'integer',
          minimum: 0,
          default: 1,
          description: 'Seed of resampling and of the choice of subsets.',
        },
      },
    },
    sensitivity: sensitivitySchema,
    cache: {
      type: 'object',
      description:
        'Measurements kept between runs, so that an interrupted run goes on and what did not change is not measured again.',
      additionalProperties: false,
      default: {},
      properties: {
        enabled: { type: 'boolean', default: true, description: 'Keep and use them.' },
        folder: {
          type: 'string',
          minLength: 1,
          description: "Folder that they are kept in. Default: the user's cache folder.",
        },
        maxMiB: {
          type: 'integer',
          minimum: 1,
          default: 1024,
          description: 'Size of the folder; what was not used for longest is deleted first.',
        },
      },
    },
    audit: auditSchema,
    report: {
      type: 'object',
      description: 'What is written.',
      additionalProperties: false,
      default: {},
      properties: {
        folder: {
          type: 'string',
          minLength: 1,
          default: 'int8-gate-report',
          description: 'Folder of the report, relative to where the command runs.',
        },
        keepModels: {
          type: 'boolean',
          default: true,
          description: 'Keep the quantized models beside the report.',
        },
        images: {
          type: 'integer',
          minimum: 0,
          maximum: 24,
          default: 8,
          description:
            'Validation images that report.html shows, those that lose most in INT8, as small pictures inside report.json. 0 keeps pictures out of the report.',
        },
        audit: {
          type: 'boolean',
          default: true,
          description:
            'Audit the calibration images in every run and show it in report.html; it takes one more pass of FP32 over them and changes no verdict.',
        },
      },
    },
  },
} as const;
