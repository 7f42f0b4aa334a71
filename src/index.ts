import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgress, endingOf } from './commands/index.js';
import { annotate, ensureNativePackages, publish, readInputs } from './github/index.js';
import { runGate } from './pipeline/index.js';
import { loadSettings } from './settings/index.js';

/** Fills the runner's tool cache ($RUNNER_TOOL_CACHE), so that no job has to install anything. */
export async function prepareRunner(): Promise<void> {
  try {
    await ensureNativePackages(actionRoot(), (line) => process.stdout.write(`${line}\n`));
    process.stdout.write('onnxruntime-node and sharp are ready.\n');
  } catch (error) {
    const ending = endingOf(error);
    for (const problem of ending.problems) annotate(problem, '');
    process.exitCode = ending.exitStatus;
  }
}

function actionRoot(): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..');
}

/** The action: the same job as `int8-gate run`, with Actions' inputs, outputs and summary. */
export async function runAction(): Promise<void> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let config = '';
  try {
    const inputs = readInputs();
    config = inputs.config;
    const progress = createProgress(process.stdout, process.env);
    await ensureNativePackages(actionRoot(), (line) => progress.phase(line));
    const loaded = await loadSettings(inputs.config);
    const out = inputs.reportFolder ?? resolve(inputs.workingDirectory, loaded.settings.report.folder);
    const { report, exitStatus, reportFolder } = await runGate(loaded, {
      signal: abort.signal,
      out,
      progress,
    });
    await publish(report, reportFolder, exitStatus);
    process.exitCode = exitStatus;
  } catch (error) {
    const ending = endingOf(error);
    const file = relative(process.env.GITHUB_WORKSPACE ?? process.cwd(), config);
    for (const problem of ending.problems) annotate(problem, file);
    if (process.env.INT8_GATE_DEBUG !== undefined && error instanceof Error)
      process.stderr.write(`${error.stack ?? ''}\n`);
    process.exitCode = ending.exitStatus;
  }
}
