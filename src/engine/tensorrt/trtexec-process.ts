/** trtexec as a process: started, watched, and its failure explained. */
import { spawn } from 'node:child_process';
import { InputFault, Interrupted, SurroundingsFault, systemCode } from '../../faults/index.js';
import { failureIn, reasonIn, versionIn, type TrtexecFailure } from './trtexec-files.js';

/** There is no such program. */
export class TrtexecMissing extends SurroundingsFault {}

/** How trtexec is called. */
export interface Trtexec {
  readonly program: string;
  /** Index of the GPU, in the order of the PCI bus. */
  readonly gpu: number;
}

/** What is kept of what it prints: the end tells why it failed. */
const KEPT = 64_000;

const CURES: Readonly<Record<Exclude<TrtexecFailure, 'refused'>, string>> = {
  'out-of-memory':
    'Free GPU memory (`nvidia-smi` shows who holds it), or lower `engine.batch` or `engine.tensorrt.workspaceMiB`.',
  driver:
    "The driver is older than CUDA's libraries ask for: update it, or use a container with an older TensorRT.",
  'no-gpu':
    'The container or runner must be given the GPU (`--gpus`, the device plugin), and `engine.tensorrt.gpu` must name one that is there.',
  'missing-library':
    'Put the libraries of TensorRT and CUDA on LD_LIBRARY_PATH; `ldd trtexec` names what is missing.',
  option: 'trtexec of TensorRT 8.6 to 11 is known: use one of these, or Python with TensorRT.',
  other: 'Run `int8-gate doctor`, and look at `nvidia-smi`.',
};

/**
 * Runs trtexec to its end.
 * @param subject - file or model that a refusal is about
 * @returns what it printed, its end if that is long
 * @throws InputFault where TensorRT refuses the model, SurroundingsFault with the cure for the rest, Interrupted
 */
export async function runTrtexec(
  { program, gpu }: Trtexec,
  args: readonly string[],
  { timeoutMs, subject, signal }: { timeoutMs: number; subject: string; signal?: AbortSignal | undefined },
): Promise<string> {
  if (signal?.aborted === true) throw new Interrupted();
  const fault = (what: string, fix: string): SurroundingsFault =>
    new SurroundingsFault({ where: `trtexec (${program})`, what, fix });
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, `--device=${gpu}`], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_MODULE_LOADING: 'LAZY' },
    });
    let said = '';
    let first: string | undefined;
    const hear = (text: string): void => {
      said = (said + text).slice(-KEPT);
      first ??= said.includes('\n') ? said.slice(0, said.indexOf('\n') + 1) : undefined;
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    let ending: Error | undefined;
    const stop = (reason: Error): void => {
      ending ??= reason;
      child.kill('SIGKILL');
    };
    const abort = (): void => stop(new Interrupted());
    signal?.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(
      () =>
        stop(
          fault(
            `did not finish with ${subject} within ${Math.round(timeoutMs / 1000)} s`,
            'Raise `engine.tensorrt.timeoutMinutes`, or look at `nvidia-smi` for a GPU that hangs.',
          ),
        ),
      timeoutMs,
    );
    child.on('error', (error) => {
      ending ??=
        systemCode(error) === 'ENOENT'
          ? new TrtexecMissing({
              where: `trtexec (${program})`,
              what: 'is not installed',
              fix: 'It comes with TensorRT: put it on PATH, or name it in `engine.tensorrt.trtexec`.',
            })
          : fault(`cannot be started: ${error.message}`, 'Check its permissions.');
    });
    child.on('close', (code, by) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (ending !== undefined) reject(ending);
      else if (code === 0) resolve(`${first ?? ''}${said}`);
      else reject(failed(said, code, by, subject, fault));
    });
  });
}

function failed(
  said: string,
  code: number | null,
  by: NodeJS.Signals | null,
  subject: string,
  fault: (what: string, fix: string) => SurroundingsFault,
): Error {
  const reason = reasonIn(said);
  const words = reason === '' ? '' : ` Its last words: ${reason}`;
  if (by === 'SIGKILL')
    return fault(
      `was killed (SIGKILL).${words}`,
      'Most often the machine ran out of memory (`dmesg` names it); lower `engine.batch` or `engine.tensorrt.workspaceMiB`.',
    );
  if (by === 'SIGINT') return new Interrupted();
  if (by === 'SIGTERM' || by === 'SIGHUP')
    return fault(
      `was ended from outside (${by}).${words}`,
      'Look at limits of time of the job and of the machine.',
    );
  if (by !== null)
    return fault(
      `crashed (${by}).${words}`,
      'A crash inside TensorRT or the driver: try `engine.tensorrt.optimizationLevel: 1`.',
    );
  const failure = failureIn(said);
  return failure === 'refused'
    ? new InputFault({
        where: subject,
        what: `TensorRT refuses it: ${reason}`,
        fix: '`int8-gate lint` names what TensorRT does not take in a Q/DQ file, and how to mend it.',
      })
    : fault(`ended with status ${code ?? 'unknown'} on ${subject}.${words}`, CURES[failure]);
}

const OLDEST = [8, 6] as const;

/**
 * Asks trtexec for its version, which its help tells without a GPU.
 * @throws SurroundingsFault when it cannot be run, tells none, or is too old
 */
export async function trtexecVersion(trtexec: Trtexec): Promise<string> {
  const text = await runTrtexec(trtexec, ['--help'], { timeoutMs: 60_000, subject: 'its help' });
  const version = versionIn(text);
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  if (version !== undefined && (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])))
    return version;
  throw new SurroundingsFault({
    where: `trtexec (${trtexec.program})`,
    what: version === undefined ? 'does not tell its version' : `is of TensorRT ${version}`,
    fix: 'TensorRT 8.6 or newer is needed.',
  });
}
