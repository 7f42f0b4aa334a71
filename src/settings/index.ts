/** The settings file: one schema gives types, defaults, validation, messages and docs. */
export { settingsSchema } from './schema.js';
export { DECODER_FORMATS } from './decoder-schema.js';
export { loadSettings, parseSettings } from './load.js';
export type { LoadedSettings, Settings, Thresholds } from './types.js';
