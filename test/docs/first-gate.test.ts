import { expect, test } from '@jest/globals';
import { withFolder } from '../commands/child.js';
import { blocksOf, commandsOf, runCommands } from './commands.js';

test(
  'every command of the first gate ends as it says, and prints what is written',
  () =>
    withFolder(async (folder) => {
      const commands = commandsOf(await blocksOf('docs/first-gate.md', 'sh'));
      expect(commands.length).toBeGreaterThan(10);
      const { status, output } = await runCommands(commands, folder);
      expect({ status, output: status === 0 ? '' : output.slice(-2000) }).toEqual({ status: 0, output: '' });
      const lines = (await blocksOf('docs/first-gate.md', 'text')).flatMap((block) =>
        block.trimEnd().split('\n'),
      );
      for (const line of lines) expect(output).toContain(line);
    }),
  300_000,
);
