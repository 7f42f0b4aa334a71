import { setTimeout as wait } from 'node:timers/promises';
import type { Patience } from './client.js';

/** Waits of the conversation with GitHub, in milliseconds. */
const FIRST = 1000;
const MOST = 60_000;
const TIMEOUT = 30_000;
const SETTLE = 2000;

/** How patient to be, and how long to wait for another run that writes at the same time. */
export interface Manners extends Patience {
  readonly settleMs: number;
}

/** `INT8_GATE_PATIENCE` shortens or lengthens every wait: 1 is the ordinary, 0 does not wait. */
export function mannersOf(environment: NodeJS.ProcessEnv): Manners {
  const asked = Number(environment.INT8_GATE_PATIENCE ?? 1);
  const scale = Number.isFinite(asked) && asked >= 0 ? Math.min(asked, 10) : 1;
  return {
    tries: 5,
    firstMs: FIRST,
    mostMs: MOST,
    timeoutMs: Math.max(200, TIMEOUT * scale),
    settleMs: SETTLE,
    sleep: async (milliseconds) => void (await wait(milliseconds * scale)),
  };
}
