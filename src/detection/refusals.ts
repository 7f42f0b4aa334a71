import { InputFault } from '../faults/index.js';
import type { TensorSpec } from '../engine/index.js';
import { shown } from './layouts.js';
import type { ModelView } from './types.js';

const OTHER_TASKS: readonly (readonly [task: string, sign: (output: TensorSpec) => boolean])[] = [
  [
    'a segmentation model',
    // Ultralytics' prototypes are 32 planes at a quarter of the input.
    ({ name, dims }) =>
      /(^|[_/])(masks?|protos?)([_/:]|$)/i.test(name) || (dims.length === 4 && dims[1] === 32),
  ],
  ['a pose model', ({ name }) => /keypoint|(^|[_/])(kpts?|joints?|poses?)([_/:]|$)/i.test(name)],
  ['a model of rotated boxes', ({ name }) => /(^|[_/])(obb|rotated|angles?)([_/:]|$)/i.test(name)],
];

/** @throws InputFault when metadata or outputs tell of masks, keypoints or rotated boxes. */
export function refuseOtherTasks({ metadata, outputs }: ModelView): void {
  const fix =
    'Export a detector, or declare the layout and the outputs to read as `decoder: { format: …, outputs: { … } }`.';
  const task = metadata.get('task');
  if (task !== undefined && task !== 'detect')
    throw new InputFault({
      where: 'model metadata task',
      what: `says ${task}; boxes of task detect are judged`,
      fix,
    });
  for (const [what, sign] of OTHER_TASKS) {
    const output = outputs.find(sign);
    if (output !== undefined)
      throw new InputFault({
        where: `model outputs ${outputs.map(shown).join('; ')}`,
        what: `${output.name} tells of ${what}; boxes of detectors are judged`,
        fix,
      });
  }
}

/** TensorRT's own suppression, and MMDeploy's: neither is an ONNX operator. */
const PLUGINS =
  /^(EfficientNMS(X|_ONNX)?(_TRT)?|BatchedNMS(Dynamic)?_TRT|NMS_TRT|NMSDynamic_TRT|TRTBatchedNMS|TRTNMS|ROIAlign_TRT|YoloLayer(_TRT)?|YoloNMS)$/;

/**
 * Models that end in a plugin of TensorRT run nowhere else.
 * @param operators - types of the operators in the graph
 * @throws InputFault naming them and how each common exporter leaves them out
 */
export function refusePlugins(model: string, operators: Iterable<string>): void {
  const plugins = [...new Set(operators)].filter((type) => PLUGINS.test(type));
  if (plugins.length > 0)
    throw new InputFault({
      where: model,
      what: `holds ${plugins.join(', ')}: a plugin of TensorRT, which onnxruntime does not know, so that FP32 cannot be measured`,
      fix: 'Judge the model without it, and add it after quantization: YOLOv7 `export.py --grid` without `--end2end`, YOLOv6 without `--end2end`, super-gradients `export(engine=ExportTargetBackend.ONNXRUNTIME)`, MMDeploy with an onnxruntime configuration. Suppression is then done here.',
    });
}
