import type { FromSchema } from 'json-schema-to-ts';
import type { settingsSchema } from './schema.js';

type Deep = FromSchema<typeof settingsSchema>;

/** A section whose defaults are filled in. */
type Filled<T, Keys extends keyof NonNullable<T>> = NonNullable<T> & Required<Pick<NonNullable<T>, Keys>>;

/** Settings with every default filled in and every path absolute. */
export type Settings = Omit<
  Deep,
  | 'decoder'
  | 'preprocessing'
  | 'validation'
  | 'calibration'
  | 'quantization'
  | 'engine'
  | 'gate'
  | 'sensitivity'
  | 'cache'
  | 'audit'
  | 'report'
> & {
  readonly decoder: NonNullable<Deep['decoder']>;
  readonly preprocessing: NonNullable<Deep['preprocessing']>;
  readonly validation: Filled<Deep['validation'], 'format' | 'split'>;
  readonly calibration: Filled<Deep['calibration'], 'calibrator' | 'percentile' | 'batch'>;
  readonly quantization: Filled<
    Deep['quantization'],
    'operators' | 'biasCorrection' | 'equalization' | 'keepFloat'
  >;
  readonly engine: Omit<Filled<Deep['engine'], 'name' | 'threads' | 'batch' | 'memoryMiB'>, 'tensorrt'> & {
    readonly tensorrt: Filled<
      NonNullable<Deep['engine']>['tensorrt'],
      'python' | 'trtexec' | 'gpu' | 'optimizationLevel' | 'timeoutMinutes' | 'waitMinutes'
    >;
  };
  readonly gate: Filled<
    Deep['gate'],
    'candidate' | 'confidence' | 'resamples' | 'interval' | 'inconclusive' | 'baseMissing' | 'seed'
  >;
  readonly sensitivity: Filled<Deep['sensitivity'], 'enabled' | 'images' | 'calibrators' | 'always'>;
  readonly cache: Filled<Deep['cache'], 'enabled' | 'maxMiB'>;
  readonly audit: Required<NonNullable<Deep['audit']>>;
  readonly report: Filled<Deep['report'], 'folder' | 'keepModels' | 'images' | 'audit'>;
};

export type Thresholds = Settings['gate']['thresholds'];

/** Settings with the file that they came from. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** Absolute path. */
  readonly file: string;
  /** `file:line:col key` of a JSON pointer such as `/calibration/count`. */
  readonly place: (pointer: string) => string;
}
