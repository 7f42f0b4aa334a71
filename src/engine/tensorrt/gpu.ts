/** What state the GPU is in, by nvidia-smi: a latency measured beside other work says nothing. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, systemCode } from '../../faults/index.js';

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;
/** More than this busy before we begin, in percent, is somebody else's work. */
const BUSY = 10;

/** A GPU as nvidia-smi describes it; `undefined` where it does not tell (Jetson, MIG). */
export interface GpuState {
  readonly name: string;
  readonly driver: string;
  /** Percent of the last second in which a kernel ran. */
  readonly utilization: number | undefined;
  readonly smClockMHz: number | undefined;
  readonly maxSmClockMHz: number | undefined;
  readonly memoryClockMHz: number | undefined;
  readonly temperature: number | undefined;
  /** `P0` is full power. */
  readonly powerState: string | undefined;
  readonly mig: boolean;
  /** Processes that compute on it, ours left out. */
  readonly others: readonly { readonly pid: number; readonly name: string }[];
}

const FIELDS = [
  'name',
  'driver_version',
  'utilization.gpu',
  'clocks.sm',
  'clocks.max.sm',
  'clocks.mem',
  'temperature.gpu',
  'pstate',
  'mig.mode.current',
] as const;

/**
 * Asks nvidia-smi for the GPU on a PCI bus.
 * @param ours - processes that are our own
 * @returns the state, or why there is none; engines run without it, but latencies are then not trusted blindly
 */
export async function gpuState(
  bus: string,
  ours: readonly number[],
  program = 'nvidia-smi',
): Promise<GpuState | { readonly unknown: string }> {
  const ask = async (args: readonly string[]): Promise<string> =>
    (await run(program, [...args, `--id=${bus}`, '--format=csv,noheader,nounits'], { timeout: TIMEOUT_MS }))
      .stdout;
  try {
    const [line, apps] = await Promise.all([
      ask([`--query-gpu=${FIELDS.join(',')}`]),
      ask(['--query-compute-apps=pid,process_name']),
    ]);
    return stateOf(line.trim().split('\n')[0] ?? '', apps, ours);
  } catch (error) {
    return {
      unknown:
        systemCode(error) === 'ENOENT'
          ? `${program} is not installed`
          : (messageOf(error).split('\n')[0] ?? ''),
    };
  }
}

function stateOf(line: string, apps: string, ours: readonly number[]): GpuState {
  const cells = line.split(',').map((cell) => cell.trim());
  const at = (field: (typeof FIELDS)[number]): string => cells[FIELDS.indexOf(field)] ?? '';
  const number = (field: (typeof FIELDS)[number]): number | undefined => {
    const value = Number.parseFloat(at(field));
    return Number.isFinite(value) ? value : undefined;
  };
  return {
    name: at('name'),
    driver: at('driver_version'),
    utilization: number('utilization.gpu'),
    smClockMHz: number('clocks.sm'),
    maxSmClockMHz: number('clocks.max.sm'),
    memoryClockMHz: number('clocks.mem'),
    temperature: number('temperature.gpu'),
    powerState: /^P\d+$/.test(at('pstate')) ? at('pstate') : undefined,
    mig: at('mig.mode.current') === 'Enabled',
    others: apps
      .split('\n')
      .flatMap((row) => {
        const [, pid, name] = /^\s*(\d+)\s*,\s*(.*?)\s*$/.exec(row) ?? [];
        return pid === undefined ? [] : [{ pid: Number(pid), name: name ?? '' }];
      })
      .filter(({ pid }) => !ours.includes(pid)),
  };
}

/** Why latencies of this GPU are not to be trusted; empty when they are. */
export function noiseOf(state: GpuState | { readonly unknown: string }): readonly string[] {
  if ('unknown' in state) return [`the state of the GPU is not known: ${state.unknown}`];
  const { others, utilization, mig } = state;
  return [
    ...(others.length > 0
      ? [
          `${others.length} other ${others.length === 1 ? 'process computes' : 'processes compute'} on the GPU: ${others
            .slice(0, 3)
            .map(({ pid, name }) => `${name} (${pid})`)
            .join(', ')}`,
        ]
      : []),
    ...(utilization !== undefined && utilization > BUSY
      ? [`the GPU was ${utilization} % busy before the first engine ran`]
      : []),
    ...(mig ? ['the GPU is divided (MIG): neighbours share its memory bandwidth and clocks'] : []),
  ];
}
