import type { FromSchema } from 'json-schema-to-ts';
import type { reportSchema } from './schema.js';

/** report.json, version 1. */
export type Report = FromSchema<typeof reportSchema>;
export type ReportVariant = Report['variants']['fp32'];
export type Finding = Report['findings'][number];
export type EnginesSection = NonNullable<Report['engines']>;
export type EngineRow = EnginesSection['rows'][number];
export type LayerRow = NonNullable<Report['sensitivity']>['layers'][number];
export type BaseSection = NonNullable<Report['base']>;
export type LayerChange = BaseSection['layers'][number];
export type UsedWaiver = NonNullable<Report['waivers']>[number];
export type SettingsChange = NonNullable<Report['settingsChanges']>[number];
export type HistoryPoint = NonNullable<Report['history']>[number];
/** The judged plan; and a plan that was tried. */
export type PlanSection = NonNullable<Report['plan']>;
export type SearchPoint = NonNullable<Report['search']>[number];
/** What is there to be drawn. */
export type PictureSections = Pick<Report, 'curves' | 'distributions' | 'histograms' | 'worstImages'>;
export type TensorHistogram = NonNullable<Report['histograms']>[number];
export type WorstImage = NonNullable<Report['worstImages']>['images'][number];
/** What the calibration images are worth. */
export type AuditSection = NonNullable<Report['audit']>;
