import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgress, endingOf, shardText } from './commands/index.js';
import { EXIT } from './faults/index.js';
import {
  annotate,
  annotationsOf,
  announce,
  carryFor,
  confine,
  ensureNativePackages,
  haveBase,
  mannersOf,
  passOn,
  publish,
  publishShard,
  readComparison,
  readInputs,
  readOccasion,
  readSurroundings,
  refuseHeadCode,
  sourcesOf,
  tellAudit,
  tellNight,
  type ActionInputs,
  type News,
  type Occasion,
  type Surroundings,
} from './github/index.js';
import { runAudit, runGate, runMerge, runShard, storeFolderOf, type AuditResult } from './pipeline/index.js';
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

/** The action: the same job as `int8-gate run`, with Actions' inputs, outputs, summary, comment and check run. */
export async function runAction(): Promise<void> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const workspace = resolve(process.env.GITHUB_WORKSPACE ?? process.cwd());
  let config = '';
  // Posts once it is known what, where and that it may; bad input found before that has only the log.
  let post: (news: News) => Promise<void> = () => Promise.resolve();
  try {
    const inputs = readInputs();
    config = inputs.config;
    const occasion = await readOccasion(process.env);
    refuseHeadCode(occasion, inputs.mode);
    const where = readSurroundings(process.env);
    const manners = mannersOf(process.env);
    if (inputs.mode === 'comment') {
      const folder = inputs.reportFolder ?? join(inputs.workingDirectory, 'int8-gate-report');
      process.exitCode = await passOn(folder, config, workspace, occasion, where, inputs.posting, manners);
      return;
    }
    // A shard says nothing: who merges speaks for all.
    if (inputs.shard === undefined)
      post = async (news) => {
        await announce(news, occasion, where, inputs.posting, manners);
        await tellNight(news, occasion, where, inputs.posting, inputs.issue, manners);
      };
    if (inputs.mode === 'audit') {
      post = () => Promise.resolve();
      const { audit, exitStatus, out } = await auditImages(inputs, workspace, abort.signal);
      process.exitCode = exitStatus;
      await tellAudit(audit, out, occasion, where, inputs.posting, inputs.issue, manners);
      return;
    }
    await judge(inputs, workspace, { occasion, where }, abort.signal, post);
  } catch (error) {
    const ending = endingOf(error);
    process.exitCode = ending.exitStatus;
    for (const problem of ending.problems) annotate(problem, relative(workspace, config));
    if (process.env.INT8_GATE_DEBUG !== undefined && error instanceof Error)
      process.stderr.write(`${error.stack ?? ''}\n`);
    // Who cancels does so for a newer run, which will speak.
    if (ending.exitStatus !== EXIT.interrupted) await post({ kind: 'problems', problems: ending.problems });
  } finally {
    // A server that does not answer must not hold the job: what was given up may still be open.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

/** How long the process may take to end by itself. */
const LINGER_MS = 2000;

async function auditImages(
  inputs: ActionInputs,
  workspace: string,
  signal: AbortSignal,
): Promise<AuditResult & { readonly out: string }> {
  const progress = createProgress(process.stdout, process.env);
  await ensureNativePackages(actionRoot(), (line) => progress.phase(line));
  const loaded = await loadSettings(inputs.config);
  await confine(loaded, workspace, inputs.dataFolders);
  const out = inputs.reportFolder ?? resolve(inputs.workingDirectory, loaded.settings.report.folder);
  return { ...(await runAudit(loaded, { signal, out, progress })), out };
}

async function judge(
  inputs: ActionInputs,
  workspace: string,
  { occasion, where }: { readonly occasion: Occasion; readonly where: Surroundings },
  signal: AbortSignal,
  post: (news: News) => Promise<void>,
): Promise<void> {
  const progress = createProgress(process.stdout, process.env);
  await ensureNativePackages(actionRoot(), (line) => progress.phase(line));
  const loaded = await loadSettings(inputs.config);
  await confine(loaded, workspace, inputs.dataFolders);
  const out = inputs.reportFolder ?? resolve(inputs.workingDirectory, loaded.settings.report.folder);
  const comparison = readComparison(inputs.workingDirectory, process.env, occasion);
  await haveBase(comparison, dirname(inputs.config), where, inputs.posting.token, (line) =>
    progress.phase(line),
  );
  const context = { signal, out, progress, ...comparison };
  if (inputs.shard !== undefined) {
    publishShard(out, shardText(await runShard(loaded, context, inputs.shard)));
    return;
  }
  const store = storeFolderOf(loaded.settings);
  const carried = await carryFor(inputs, store, where, mannersOf(process.env));
  const known = { ...context, history: comparison.history ?? carried.history };
  const { report, exitStatus, reportFolder } = await (inputs.mode === 'merge'
    ? runMerge(loaded, known, inputs.shards)
    : runGate(loaded, known));
  process.exitCode = exitStatus;
  await publish(report, reportFolder, exitStatus);
  const annotations = annotationsOf(report, await sourcesOf(loaded, workspace));
  await post({ kind: 'report', report, annotations });
  await carried.save();
}
