import type { ImageGeometry } from '../dataset/index.js';
import type { HostTensor, TensorSpec } from '../engine/index.js';
import { unscaled } from './boxes.js';
import type { DecoderFormat, DecoderOptions, ModelView } from './types.js';

/** True when the image fills the canvas, so that its own size says how boxes are scaled. */
function stretched(g: ImageGeometry, { inputHeight, inputWidth }: DecoderOptions): boolean {
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6 * b;
  return (
    g.padX === 0 &&
    g.padY === 0 &&
    near(g.originalWidth * g.scaleX, inputWidth) &&
    near(g.originalHeight * g.scaleY, inputHeight)
  );
}

/** Inputs by which each format's model scales boxes to the original image by itself. */
const SCALED_BY: Readonly<Partial<Record<DecoderFormat, string>>> = {
  paddle: 'scale_factor',
  'paddle-raw': 'scale_factor',
  'rtdetr-deploy': 'orig_target_sizes',
};

/** Where the boxes of a model that is told the image's size or scale lie; agrees with {@link extraInputs}. */
export function geometryOf(
  format: DecoderFormat,
  geometry: ImageGeometry,
  options: DecoderOptions,
  view: ModelView,
): ImageGeometry {
  const by = SCALED_BY[format];
  const told = by !== undefined && view.inputs.some(({ name }) => name === by);
  return told && stretched(geometry, options) ? unscaled(geometry) : geometry;
}

type Values = (g: ImageGeometry, options: DecoderOptions, spec: TensorSpec) => HostTensor['data'] | number[];

/**
 * Where the image was padded, a model is told the canvas instead of the image, and its boxes are mapped back like any
 * others; only YOLOv3's `image_shape` is by design what its own letterbox is undone with.
 */
const INPUTS: Readonly<Record<string, Values>> = {
  /** Width and height of the original (RT-DETR, D-FINE). */
  orig_target_sizes: (g, options) =>
    stretched(g, options) ? [g.originalWidth, g.originalHeight] : [options.inputWidth, options.inputHeight],
  /** Of y and x, input over original (Paddle). */
  scale_factor: (g, options) => (stretched(g, options) ? [g.scaleY, g.scaleX] : [1, 1]),
  /** Height and width of the input (Paddle). */
  im_shape: (_, { inputHeight, inputWidth }) => [inputHeight, inputWidth],
  /** Height and width of the original (YOLOv3 of the ONNX model zoo). */
  image_shape: (g) => [g.originalHeight, g.originalWidth],
  pixel_mask: maskOf,
};

/** 1 where the canvas shows the image, 0 where it is padded (DETR of Transformers), in the size that the model fixes. */
function maskOf(
  g: ImageGeometry,
  { inputHeight, inputWidth }: DecoderOptions,
  { dims }: TensorSpec,
): number[] {
  const [height, width] = maskSize(dims, inputHeight, inputWidth);
  const right = g.padX + Math.ceil(g.originalWidth * g.scaleX - 1e-6);
  const bottom = g.padY + Math.ceil(g.originalHeight * g.scaleY - 1e-6);
  return Array.from({ length: height * width }, (_, i) => {
    const x = ((i % width) * inputWidth) / width;
    const y = (Math.floor(i / width) * inputHeight) / height;
    return x >= g.padX && x < right && y >= g.padY && y < bottom ? 1 : 0;
  });
}

function maskSize(dims: readonly number[], height: number, width: number): readonly [number, number] {
  const [, h = -1, w = -1] = dims;
  return [h > 0 ? h : height, w > 0 ? w : width];
}

/**
 * What a model wants to know of an image beside its pixels, by names of inputs.
 * @returns undefined when it wants nothing that is known
 */
export function extraInputs(
  view: ModelView,
  options: DecoderOptions,
): ((geometry: ImageGeometry) => Readonly<Record<string, HostTensor>>) | undefined {
  const known = view.inputs.filter(({ name }) => name in INPUTS);
  if (known.length === 0) return undefined;
  return (g) =>
    Object.fromEntries(
      known.map((spec) => {
        const values = (INPUTS[spec.name] as Values)(g, options, spec);
        const kind = spec.type === 'int64' || spec.type === 'int32' ? spec.type : 'float32';
        const data =
          kind === 'int64'
            ? Float64Array.from(values)
            : kind === 'int32'
              ? Int32Array.from(values)
              : Float32Array.from(values);
        const dims =
          spec.name === 'pixel_mask'
            ? [1, ...maskSize(spec.dims, options.inputHeight, options.inputWidth)]
            : [1, 2];
        return [spec.name, { type: kind, dims, data } satisfies HostTensor];
      }),
    );
}

/** Inputs beside the image that nothing here can fill. */
export function unknownInputs(view: ModelView, image: TensorSpec): readonly TensorSpec[] {
  return view.inputs.filter(({ name }) => name !== image.name && !(name in INPUTS));
}
