import { describe, expect, test } from '@jest/globals';
import { createProgress } from '../../src/commands/index.js';

/** Everything that a job of four images writes. */
function shown(environment: NodeJS.ProcessEnv, isTTY: boolean): string {
  let text = '';
  const progress = createProgress(
    { isTTY, columns: 60, write: (part: string) => (text += part) },
    environment,
  );
  for (const title of ['Calibrating', 'Evaluating ::error::x\n::set-output']) {
    progress.phase(title);
    for (let done = 1; done <= 4; done++) progress.update(done, 4);
    progress.end();
  }
  return text;
}

describe('progress', () => {
  test('is plain lines in a log', () => {
    expect(shown({}, false)).toBe(
      'Calibrating\n  25 %\n  50 %\n  75 %\nEvaluating : :error::x�::set-output\n  25 %\n  50 %\n  75 %\n',
    );
  });

  test('is foldable groups on Actions, and no name can start a command of its own', () => {
    expect(shown({ GITHUB_ACTIONS: 'true' }, false)).toBe(
      '::group::Calibrating\n  25 %\n  50 %\n  75 %\n::endgroup::\n::group::Evaluating : :error::x�::set-output\n  25 %\n  50 %\n  75 %\n::endgroup::\n',
    );
  });

  test('is a bar on a terminal, wiped at the end', () => {
    const text = shown({}, true);
    expect(text).toMatch(/██████████░░░░░░░░░░ 2\/4 Calibrating/);
    expect(text.endsWith('\r')).toBe(true);
    for (const part of text.split('\r')) expect(part.length).toBeLessThan(60);
  });
});
