import type { TensorSpec } from '../engine/index.js';
import type { DecoderFormat, Match, ModelView, OutputRole } from './types.js';

/** What a signature looks at. */
export interface Sight {
  readonly view: ModelView;
  readonly outputs: readonly TensorSpec[];
  readonly named: Readonly<Partial<Record<OutputRole, string>>>;
  /** Number of classes by the settings, the metadata or, last, the annotations; with where it is from. */
  readonly classes: { readonly count: number; readonly from: string } | undefined;
  /** The settings declare this format: free dimensions then fit any. */
  readonly declared: DecoderFormat | undefined;
  readonly height: number;
  readonly width: number;
}

export type Found = Omit<Match, 'format' | 'why'> & { readonly why: string };
export type Add = (format: DecoderFormat, found: Found) => void;

export const isFloat = ({ type }: TensorSpec): boolean => type.startsWith('float');

/** A dimension, when it is fixed. */
export function positive(dim: number | undefined): number | undefined {
  return dim !== undefined && dim > 0 ? dim : undefined;
}

export function hasInput(view: ModelView, ...names: readonly string[]): boolean {
  return view.inputs.some(({ name }) => names.includes(name));
}

/** Written by Ultralytics' exporters: YOLOv5 puts `stride` and `names` into the file, later ones more. */
export function byUltralytics({ metadata }: ModelView): boolean {
  return metadata.has('stride');
}

/** Deformable attention, which RT-DETR and its kin have and YOLO and DETR lack. */
export function isDeformable({ operators, metadata }: ModelView): boolean {
  return operators?.has('GridSample') === true || /rt-?detr/i.test(metadata.get('description') ?? '');
}
