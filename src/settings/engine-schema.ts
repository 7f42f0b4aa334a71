/** The settings' section on what runs the models. */
export const engineSchema = {
  type: 'object',
  description: 'What runs the models.',
  additionalProperties: false,
  default: {},
  properties: {
    name: {
      enum: ['onnxruntime', 'tensorrt'],
      default: 'onnxruntime',
      description:
        '`onnxruntime`: the embedded engine, INT8 simulated in float. `tensorrt`: layers are ranked in simulation, then real engines are built on the GPU, and they are judged.',
    },
    threads: {
      description: 'Worker threads; `auto` = cores, as memory allows.',
      default: 'auto',
      anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 256 }],
    },
    batch: {
      description: 'Images a run, for models with a free batch dimension; `auto` = 1.',
      default: 'auto',
      anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 256 }],
    },
    memoryMiB: {
      type: 'integer',
      minimum: 16,
      default: 256,
      description: 'Memory for prepared images; more are decoded again.',
    },
    tensorrt: {
      type: 'object',
      description: 'How real engines are built. Only with `name: tensorrt`.',
      additionalProperties: false,
      default: {},
      properties: {
        python: {
          type: 'string',
          minLength: 1,
          default: 'python3',
          description: 'Python that can import `tensorrt` (8.6, 10 or 11); nothing else is needed of it.',
        },
        trtexec: {
          type: 'string',
          minLength: 1,
          default: 'trtexec',
          description: 'trtexec, which builds and runs engines where no Python has TensorRT.',
        },
        gpu: {
          type: 'integer',
          minimum: 0,
          default: 0,
          description: 'Index of the GPU, in the order of the PCI bus.',
        },
        optimizationLevel: {
          type: 'integer',
          minimum: 0,
          maximum: 5,
          default: 3,
          description: 'How long the builder looks for fast kernels. 0 ignores the timing cache.',
        },
        workspaceMiB: {
          type: 'integer',
          minimum: 1,
          description: 'Most scratch memory of a kernel. The whole GPU when left out.',
        },
        cache: {
          type: 'string',
          minLength: 1,
          description:
            'Folder of built engines and the timing cache, outside the workspace. `~/.cache/int8-gate/engines` when left out.',
        },
        timeoutMinutes: {
          type: 'number',
          exclusiveMinimum: 0,
          default: 30,
          description: 'Longest that one build may take.',
        },
        waitMinutes: {
          type: 'number',
          minimum: 0,
          default: 60,
          description: 'How long to wait for another run on the same GPU.',
        },
        implicit: {
          enum: ['off', 'entropy', 'minmax'],
          default: 'off',
          description:
            'Also build the INT8 that TensorRT up to 10 places by itself, from ranges of its entropy calibrator 2 or MinMax, and show it beside ours. It is never judged.',
        },
        dla: {
          type: 'integer',
          minimum: 0,
          description: 'DLA core to build for, on devices that have one.',
        },
      },
    },
  },
} as const;
