declare const INT8_GATE_VERSION: string | undefined;

/** Version of int8-gate; the bundle carries it, source does not. */
export const VERSION = typeof INT8_GATE_VERSION === 'string' ? INT8_GATE_VERSION : '0.0.0-source';
