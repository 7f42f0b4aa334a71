/** What can happen between a run and GitHub, as a table. */
import type { Scenario } from './scenario.js';
import { companion, events } from './scenarios-events.js';
import { faults, races } from './scenarios-faults.js';
import { ordinary } from './scenarios-ordinary.js';

export const SCENARIOS: readonly Scenario[] = [...ordinary, ...events, ...companion, ...faults, ...races];
