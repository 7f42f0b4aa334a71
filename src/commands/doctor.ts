import { execFile } from 'node:child_process';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { TensorRtWorker, slowdownsNow, trtexecVersion, wordsOf } from '../engine/index.js';
import { SurroundingsFault, messageOf, systemCode } from '../faults/index.js';
import { onnxruntime, sharp } from '../native/index.js';
import { painted, terminalText, wrapped, type ConsoleStyle } from '../report/index.js';

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** `ok`, `missing` (needed), `absent` (only wanted by a real GPU run). */
  readonly state: 'ok' | 'missing' | 'absent';
  readonly detail: string;
}

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;

/**
 * Looks at engines, GPU and versions.
 * @param python - the Python that has TensorRT
 * @param gpu - index of the GPU, in the order of the PCI bus
 */
export async function examine(python = 'python3', gpu = 0): Promise<readonly Finding[]> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return [
    major > 20 || (major === 20 && minor >= 20)
      ? { what: 'Node', state: 'ok', detail: process.version }
      : { what: 'Node', state: 'missing', detail: `${process.version}; 20.20 or newer is needed` },
    native('onnxruntime-node', () => onnxruntime().env.versions.node ?? 'unknown version'),
    native('sharp', () => sharp().versions.sharp ?? 'unknown version'),
    {
      what: 'cores and memory',
      state: 'ok',
      detail: `${availableParallelism()} cores, ${gibibytes(freemem())} free of ${gibibytes(totalmem())}`,
    },
    ...(await nvidia(gpu)),
    await tensorRt(python, gpu),
    await trtexec(gpu),
  ];
}

/** The GPUs, and whether heat or power slow down the one that would be used. */
async function nvidia(gpu: number): Promise<readonly Finding[]> {
  const cards = await program(
    'NVIDIA GPU',
    'nvidia-smi',
    ['--query-gpu=name,driver_version', '--format=csv,noheader'],
    'no driver; the embedded engine needs none',
  );
  return cards.state === 'ok' ? [cards, await clocks(gpu)] : [cards];
}

async function clocks(gpu: number): Promise<Finding> {
  const what = 'GPU clocks';
  const found = await slowdownsNow(String(gpu));
  if ('unknown' in found)
    return {
      what,
      state: 'absent',
      detail: `${found.unknown}: a run cannot tell when heat or power slow the GPU down`,
    };
  const [worst] = found;
  if (worst === undefined) return { what, state: 'ok', detail: 'not slowed down by heat or power' };
  const { what: reason, cure } = wordsOf(worst);
  const detail = `${reason} (${found.join(', ')}): limits on latency would be inconclusive. ${cure}`;
  return { what, state: 'absent', detail };
}

/** Starts the worker as a run would: what keeps it from starting is what is to be mended. */
async function tensorRt(python: string, index: number): Promise<Finding> {
  const what = 'TensorRT';
  try {
    const { worker, hello } = await TensorRtWorker.start({ python, gpu: index, startMs: 120_000 });
    await worker.close();
    const { tensorrt, cuda, gpu, capabilities } = hello;
    const typing = [capabilities.weak && 'weak', capabilities.strong && 'strong']
      .filter(Boolean)
      .join(' and ');
    const detail = `${tensorrt}, CUDA ${cuda.runtime}, compute capability ${gpu.computeCapability}, ${gibibytes(gpu.memoryBytes)}, ${typing} typing`;
    return { what, state: 'ok', detail };
  } catch (error) {
    if (!(error instanceof SurroundingsFault)) throw error;
    const { what: reason, fix } = error.problem;
    return {
      what,
      state: 'absent',
      detail: `${reason} (the embedded engine needs none)${fix === undefined ? '' : ` ${fix}`}`,
    };
  }
}

/** What stands in where no Python has TensorRT. */
async function trtexec(gpu: number): Promise<Finding> {
  const what = 'trtexec';
  try {
    const version = await trtexecVersion({ program: 'trtexec', gpu });
    return { what, state: 'ok', detail: `${version}; builds and runs engines where no Python has TensorRT` };
  } catch (error) {
    if (!(error instanceof SurroundingsFault)) throw error;
    const { what: reason } = error.problem;
    return { what, state: 'absent', detail: `trtexec ${reason} (the embedded engine needs none)` };
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

function native(what: string, version: () => string): Finding {
  try {
    return { what, state: 'ok', detail: version() };
  } catch (error) {
    return { what, state: 'missing', detail: messageOf(error) };
  }
}

async function program(
  what: string,
  file: string,
  args: readonly string[],
  otherwise: string,
): Promise<Finding> {
  try {
    const { stdout } = await run(file, [...args], { timeout: TIMEOUT_MS });
    return { what, state: 'ok', detail: stdout.trim().split('\n')[0] ?? '' };
  } catch (error) {
    const reason =
      systemCode(error) === 'ENOENT'
        ? `${file} is not installed`
        : (messageOf(error).trim().split('\n').at(-1) ?? '');
    return { what, state: 'absent', detail: `${reason} (${otherwise})` };
  }
}

/** The findings as lines, details below each other. */
export function formatFindings(findings: readonly Finding[], style: ConsoleStyle): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ what, state, detail }) => {
      const label = state.padEnd(7);
      const line = `${label}  ${what.padEnd(width)}  ${terminalText(detail)}`;
      const text = wrapped(line, style.width, ' '.repeat(width + 11));
      return state === 'absent' ? text : text.replace(label, painted(label, state, style));
    })
    .join('\n');
}
