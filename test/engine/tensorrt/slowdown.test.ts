import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { slowdownsNow, watchSlowdowns, type Slowdowns } from '../../../src/engine/tensorrt/slowdown.js';
import { withFolder, writeExecutable } from '../../commands/child.js';

const REFUSES = `echo 'Field "clocks" is not a valid field to query.'; exit 2`;
/** Fields are asked for in the order: hot (hardware), hot (driver), power brake, power limit, hardware. */
const flags = (...active: number[]): string =>
  `echo '${Array.from({ length: 5 }, (_, i) => (active.includes(i) ? 'Active' : 'Not Active')).join(', ')}'`;

/** An nvidia-smi that answers each family of fields by lines of shell; what it does not know it refuses. */
async function card<T>(
  folder: string,
  answers: { counters?: string; events?: string; throttle?: string },
  job: (program: string) => Promise<T>,
): Promise<T> {
  const { counters = REFUSES, events = REFUSES, throttle = REFUSES } = answers;
  return job(
    await writeExecutable(
      folder,
      'nvidia-smi',
      `#!/bin/bash
cd '${folder}'
echo "$1" >> asked
case "$1" in
  --query-gpu=clocks_event_reasons_counters.*) ${counters};;
  --query-gpu=clocks_event_reasons.*) ${events};;
  --query-gpu=clocks_throttle_reasons.*) ${throttle};;
esac`,
    ),
  );
}

describe('what slows a GPU down right now', () => {
  test.each<[string, Parameters<typeof card>[1], Slowdowns]>([
    ['nothing', { events: flags() }, []],
    ['heat and the power limit', { events: flags(1, 3) }, ['sw_thermal_slowdown', 'sw_power_cap']],
    ['by the names of older drivers', { throttle: flags(0, 4) }, ['hw_thermal_slowdown', 'hw_slowdown']],
    [
      'not known to one older still',
      {},
      { unknown: 'this nvidia-smi knows neither clocks_event_reasons nor clocks_throttle_reasons' },
    ],
    [
      'not told on a Jetson',
      { events: "echo '[N/A], [N/A], [N/A], [N/A], [N/A]'" },
      { unknown: 'nvidia-smi says "[N/A]" of it' },
    ],
    [
      'what is told where one reason is not',
      { events: "echo '[N/A], Not Active, [N/A], Active, Not Active'" },
      ['sw_power_cap'],
    ],
    [
      'a driver that fails',
      { events: "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18" },
      { unknown: 'nvidia-smi fails: Failed to initialize NVML: Driver/library version mismatch' },
    ],
    [
      'a driver that says nothing',
      { events: 'exit 9' },
      { unknown: expect.stringMatching(/^nvidia-smi fails: Command failed/) as never },
    ],
  ])('%s', (_, answers, expected) =>
    withFolder(async (folder) => {
      expect(await card(folder, answers, (program) => slowdownsNow('0', program))).toEqual(expected);
    }),
  );

  test('without nvidia-smi', async () => {
    expect(await slowdownsNow('0', 'no-such-nvidia-smi')).toEqual({
      unknown: 'no-such-nvidia-smi is not installed',
    });
  });
});

describe('what slows a GPU down while a job is timed', () => {
  const watch = (folder: string, answers: Parameters<typeof card>[1], ms = 60): Promise<Slowdowns> =>
    card(folder, answers, async (program) => {
      const { result, slowdowns } = await watchSlowdowns('0', () => sleep(ms, 'result'), program);
      expect(result).toBe('result');
      return slowdowns;
    });
  /** Counters that stand at the first numbers when first asked, and at the second from then on. */
  const counted = (before: string, after: string): string =>
    `[ -e begun ] && echo '${after}' || echo '${before}'; touch begun`;

  test.each<[string, Parameters<typeof card>[1], Slowdowns]>([
    [
      'by counters',
      { counters: counted('5, 5, 5, 700', '5, 900005, 5, 50700') },
      ['sw_thermal_slowdown', 'sw_power_cap'],
    ],
    ['no ramp of the clock', { counters: counted('5, 5, 5, 700', '5, 5, 5, 720') }, []],
    ['what was before does not count', { counters: counted('5, 5, 5, 700', '5, 5, 5, 700') }, []],
    [
      'counters that go silent',
      { counters: `[ -e begun ] && exit 9; touch begun; echo '1, 1, 1, 1'` },
      { unknown: 'nvidia-smi told it once and no more' },
    ],
    [
      'by flags where nothing is counted',
      { counters: "echo '[N/A], [N/A], [N/A], [N/A]'", events: flags(3) },
      ['sw_power_cap'],
    ],
    [
      'not by hardware seen once',
      { events: `[ -e twice ] && ${flags()} || ${flags(4)}; [ -e once ] && touch twice; touch once` },
      [],
    ],
    ['nothing that is not known', {}, { unknown: expect.stringMatching(/knows neither/) as never }],
  ])('%s', (_, answers, expected) =>
    withFolder(async (folder) => expect(await watch(folder, answers)).toEqual(expected)),
  );

  test('by hardware seen again', () =>
    withFolder(async (folder) => {
      expect(await watch(folder, { events: flags(4) }, 900)).toEqual(['hw_slowdown']);
    }));

  test('is not asked meanwhile where the driver counts', () =>
    withFolder(async (folder) => {
      await watch(folder, { counters: "echo '1, 1, 1, 1'", events: flags() }, 900);
      const asked = (await readFile(join(folder, 'asked'), 'utf8')).trim().split('\n');
      expect(asked).toHaveLength(2);
      expect(asked[0]).toBe(
        '--query-gpu=clocks_event_reasons_counters.hw_thermal_slowdown,clocks_event_reasons_counters.sw_thermal_slowdown,clocks_event_reasons_counters.hw_power_brake_slowdown,clocks_event_reasons_counters.sw_power_cap',
      );
    }));

  test('a job that fails fails, and nobody is asked any more', () =>
    withFolder(async (folder) => {
      await card(folder, { events: flags() }, async (program) => {
        await expect(watchSlowdowns('0', () => Promise.reject(new Error('broken')), program)).rejects.toThrow(
          'broken',
        );
      });
    }));
});
