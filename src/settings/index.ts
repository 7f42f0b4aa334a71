/** The settings file: one schema gives types, defaults, validation, messages and docs. */
export { settingsSchema } from './schema.js';
export { DECODER_FORMATS } from './decoder-schema.js';
export { checkInputs, loadSettings, parseSettings } from './load.js';
export type { LoadedSettings, Settings, Thresholds } from './types.js';
export { parseWaivers, waiversSchema, type Waiver } from './waivers.js';
