import { spawn } from 'node:child_process';
import { chmod, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What a child process said and how it ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of dist/ as a user or the runner would. */
export function runDist(
  door: 'cli.js' | 'index.js',
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: NodeJS.ProcessEnv;
    readonly interruptAt?: RegExp;
    readonly root?: string;
  } = {},
): Promise<Ended> {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env };
  const child = spawn(process.execPath, [resolve(options.root ?? '.', 'dist', door), ...args], {
    cwd: options.cwd ?? process.cwd(),
    env,
  });
  let [stdout, stderr] = ['', ''];
  let interrupted = false;
  const heard = (): void => {
    if (interrupted || options.interruptAt?.test(stderr) !== true) return;
    interrupted = true;
    child.kill('SIGINT');
  };
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
    heard();
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => done({ status, stdout, stderr }));
  });
}

/** A temporary folder, removed after the job. */
export async function withFolder<T>(job: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'int8-gate-test-'));
  try {
    return await job(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes a program into a folder. @returns its path */
export async function writeExecutable(folder: string, name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

export const SIGNS = resolve('fixtures/signs');

/** A project with the signs detector and few images; `change` edits the settings' text. */
export async function makeProject(
  folder: string,
  change: (settings: string) => string = (text) => text,
): Promise<void> {
  await cp(join(SIGNS, 'models', 'signs-v10.onnx'), join(folder, 'model.onnx'));
  await cp(join(SIGNS, 'calib'), join(folder, 'calib'), { recursive: true, filter: few });
  const settings = `version: 1
model: model.onnx
validation:
  images: ${join(SIGNS, 'val')}
  annotations: ${join(SIGNS, 'val.json')}
  limit: 12
calibration:
  images: calib
gate:
  thresholds:
    mAP50-95: { min: 0.5 }
  resamples: 100
sensitivity:
  enabled: false
report:
  keepModels: false
`;
  await writeFile(join(folder, 'int8-gate.yml'), change(settings));
}

/** Eight calibration images. */
function few(path: string): boolean {
  return !path.endsWith('.jpg') || /30000[0-7]\.jpg$/.test(path);
}
