import type { FromSchema } from 'json-schema-to-ts';
import type { reportSchema } from './schema.js';

/** report.json, version 1. */
export type Report = FromSchema<typeof reportSchema>;
export type ReportVariant = Report['variants']['fp32'];
export type Finding = Report['findings'][number];
export type EnginesSection = NonNullable<Report['engines']>;
export type EngineRow = EnginesSection['rows'][number];
export type LayerRow = NonNullable<Report['sensitivity']>['layers'][number];
