import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '../commands/child.js';
import { blocksOf, commandsOf, runCommands } from './commands.js';

/** What the tests of the fixtures and of the first gate run to the end, with the status that they hold it to. */
const RUN: Readonly<Record<string, number>> = {
  'npx int8-gate audit --config fixtures/signs/int8-gate.night.yml # status 1': 1,
  'npx int8-gate run --config fixtures/signs/int8-gate.all-ops.yml # status 1': 1,
  'npx int8-gate run --config fixtures/signs/int8-gate.night.yml # status 1': 1,
  'npx int8-gate run --config fixtures/signs/int8-gate.qat.yml': 0,
  'npx int8-gate run --config fixtures/signs/int8-gate.yml': 0,
};

test('the gates of the recipes are those that other tests run, and the other commands end as they say', () =>
  withFolder(async (folder) => {
    const commands = commandsOf(await blocksOf('docs/recipes.md', 'sh'));
    const gates = commands.filter(({ line }) => /^npx int8-gate (run|audit) /.test(line));
    expect(Object.fromEntries(gates.map(({ line, status }) => [line, status]))).toEqual(RUN);
    const others = commands.filter((one) => !gates.includes(one));
    expect(others.length).toBeGreaterThan(0);
    const model = 'fixtures/signs/models/signs-v10-qat.onnx';
    await mkdir(join(folder, dirname(model)), { recursive: true });
    await cp(model, join(folder, model));
    const { status, output } = await runCommands(others, folder);
    expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
  }));
