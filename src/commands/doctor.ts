import { execFile } from 'node:child_process';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { promisify } from 'node:util';
import { messageOf, systemCode } from '../faults/index.js';
import { onnxruntime, sharp } from '../native/index.js';

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** `ok`, `missing` (needed), `absent` (only wanted by a real GPU run). */
  readonly state: 'ok' | 'missing' | 'absent';
  readonly detail: string;
}

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;

/** Looks at engines, GPU and versions. */
export async function examine(): Promise<readonly Finding[]> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
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
    await program(
      'NVIDIA GPU',
      'nvidia-smi',
      ['--query-gpu=name,driver_version', '--format=csv,noheader'],
      'no driver; the embedded engine needs none',
    ),
    await program(
      'TensorRT for Python',
      'python3',
      ['-c', 'import tensorrt; print(tensorrt.__version__)'],
      'the embedded engine needs none',
    ),
    await program('trtexec', 'trtexec', ['--help'], 'the embedded engine needs none'),
  ];
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

/** The findings as lines. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ what, state, detail }) => `${state.padEnd(7)}  ${what.padEnd(width)}  ${detail}`)
    .join('\n');
}
