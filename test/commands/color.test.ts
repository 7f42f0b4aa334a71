import { expect, test } from '@jest/globals';
import { wantsColor } from '../../src/commands/program.js';

test.each([
  ['a terminal', true, {}, true],
  ['a pipe', undefined, {}, false],
  ['a terminal with NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['a terminal with an empty NO_COLOR, which counts for nothing', true, { NO_COLOR: '' }, true],
  ['a terminal that knows no colour', true, { TERM: 'dumb' }, false],
  ['a log with FORCE_COLOR', undefined, { FORCE_COLOR: '1' }, true],
  ['a terminal with FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
  ['both: NO_COLOR wins', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
])('%s', (_what, isTTY, environment, color) => expect(wantsColor(isTTY, environment)).toBe(color));
