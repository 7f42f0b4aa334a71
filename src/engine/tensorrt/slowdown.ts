/** Whether heat or power slowed the GPU down: a latency measured then is that of the cooling, not of the engine. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf, systemCode } from '../../faults/index.js';

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;
const POLL_MS = 400;
/** A counter that grew for less than this share of the time speaks of the clock's ramp, not of the times. */
const LEAST_SHARE = 0.01;

/** The reasons by nvidia-smi's names; application clocks, display and idleness are somebody's will. */
const REASONS = [
  'hw_thermal_slowdown',
  'sw_thermal_slowdown',
  'hw_power_brake_slowdown',
  'sw_power_cap',
  'hw_slowdown',
] as const;
/** A reason why the GPU runs slower than it was told to. */
export type Slowdown = (typeof REASONS)[number];

/** Since driver 535 the first names the fields; older ones know the second alone. */
const FLAGS = ['clocks_event_reasons', 'clocks_throttle_reasons'] as const;
/** Microseconds since the driver was loaded, on newer drivers; the last reason has none. */
const COUNTERS = 'clocks_event_reasons_counters';
const COUNTED = REASONS.filter((reason) => reason !== 'hw_slowdown');

/** What slowed it down, or why nobody can tell. */
export type Slowdowns = readonly Slowdown[] | { readonly unknown: string };

/** @returns what slows the GPU down right now; of an idle one that says little */
export async function slowdownsNow(id: string, program = 'nvidia-smi'): Promise<Slowdowns> {
  for (const family of FLAGS) {
    const cells = await ask(program, id, family, REASONS);
    if (cells === 'no such field') continue;
    if ('unknown' in cells) return cells;
    // Cells are `Active`, `Not Active`, or words such as `[N/A]` (Jetson, vGPU).
    if (!cells.some((cell) => /^(Not )?Active$/i.test(cell)))
      return { unknown: `nvidia-smi says ${JSON.stringify(cells[0] ?? '')} of it` };
    return REASONS.filter((_, i) => cells[i]?.toLowerCase() === 'active');
  }
  return { unknown: `this nvidia-smi knows neither ${FLAGS.join(' nor ')}` };
}

/** Microseconds that each of {@link COUNTED} has lasted; undefined where they are not counted. */
async function counters(program: string, id: string): Promise<readonly number[] | undefined> {
  const cells = await ask(program, id, COUNTERS, COUNTED);
  if (cells === 'no such field' || 'unknown' in cells) return undefined;
  const values = cells.map(Number);
  return values.length === COUNTED.length && values.every(Number.isFinite) ? values : undefined;
}

/**
 * Does a job that measures times. Where the driver counts, it is asked before and after alone; elsewhere again and again
 * meanwhile, which is seen in the longest times but not in their median.
 * @param id - the GPU as nvidia-smi takes it: bus or index
 * @returns what the job gives, and what slowed the GPU down meanwhile
 */
export async function watchSlowdowns<T>(
  id: string,
  job: () => Promise<T>,
  program = 'nvidia-smi',
): Promise<{ readonly result: T; readonly slowdowns: Slowdowns }> {
  const before = await counters(program, id);
  if (before === undefined) return pollDuring(id, job, program);
  const start = performance.now();
  const result = await job();
  const microseconds = (performance.now() - start) * 1000;
  const after = await counters(program, id);
  if (after === undefined) return { result, slowdowns: { unknown: 'nvidia-smi told it once and no more' } };
  return {
    result,
    slowdowns: COUNTED.filter(
      (_, i) => (after[i] as number) - (before[i] as number) > LEAST_SHARE * microseconds,
    ),
  };
}

async function pollDuring<T>(
  id: string,
  job: () => Promise<T>,
  program: string,
): Promise<{ readonly result: T; readonly slowdowns: Slowdowns }> {
  const first = await slowdownsNow(id, program);
  if ('unknown' in first) return { result: await job(), slowdowns: first };
  const seen = new Map<Slowdown, number>();
  const done = new AbortController();
  const polling = (async (): Promise<void> => {
    while (!done.signal.aborted) {
      const now = await slowdownsNow(id, program);
      for (const one of 'unknown' in now ? [] : now) seen.set(one, (seen.get(one) ?? 0) + 1);
      await sleep(POLL_MS, undefined, { signal: done.signal }).catch(() => undefined); // the job is done
    }
  })();
  try {
    const result = await job();
    done.abort();
    await polling;
    // By itself it may only be a change of clocks, says NVML's header: once is no evidence.
    const evident = ([one, times]: readonly [Slowdown, number]): boolean =>
      one !== 'hw_slowdown' || times > 1;
    return { result, slowdowns: [...seen].filter(evident).map(([one]) => one) };
  } finally {
    done.abort();
    await polling;
  }
}

/** Asks nvidia-smi for fields of a family. */
async function ask(
  program: string,
  id: string,
  family: string,
  reasons: readonly Slowdown[],
): Promise<readonly string[] | 'no such field' | { readonly unknown: string }> {
  const query = reasons.map((reason) => `${family}.${reason}`).join(',');
  const args = [`--query-gpu=${query}`, `--id=${id}`, '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await run(program, args, { timeout: TIMEOUT_MS });
    return (stdout.trim().split('\n')[0] ?? '').split(',').map((cell) => cell.trim());
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { unknown: `${program} is not installed` };
    // What is wrong stands on its standard output, with a status that is not 0.
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = `${stdout}\n${stderr}`.trim();
    if (/not a valid field/i.test(said)) return 'no such field';
    return { unknown: `nvidia-smi fails: ${(said === '' ? messageOf(error) : said).split('\n')[0] ?? ''}` };
  }
}

const WORDS: Readonly<Record<Slowdown, { readonly what: string; readonly cure: string }>> = {
  hw_thermal_slowdown: {
    what: 'the GPU was too hot and halved its clock or more',
    cure: 'Look at its fans, its dust and the air around it before the next run.',
  },
  sw_thermal_slowdown: {
    what: 'the driver lowered the clock, since the GPU was too hot',
    cure: 'Look at its cooling, or lock a clock that it holds: `nvidia-smi -lgc` as root.',
  },
  hw_power_brake_slowdown: {
    what: 'the power supply told the GPU to slow down (power brake)',
    cure: 'Look at the power supply and its cables: the machine draws more than it gives.',
  },
  sw_power_cap: {
    what: 'the power limit held the clock of the GPU down',
    cure: 'Lock a clock that it holds within the limit (`nvidia-smi -lgc`), or raise the limit (`nvidia-smi -pl`), as root.',
  },
  hw_slowdown: {
    what: 'the hardware of the GPU slowed it down',
    cure: 'Look at temperature and power in `nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`.',
  },
};

/** A reason as a sentence says it, and what to do. */
export function wordsOf(slowdown: Slowdown): { readonly what: string; readonly cure: string } {
  return WORDS[slowdown];
}
