import { isAbsolute, relative, resolve, sep } from 'node:path';
import * as core from '@actions/core';
import {
  EXIT,
  InputFault,
  describeProblem,
  messageOf,
  type ExitStatus,
  type Problem,
} from '../faults/index.js';
import {
  formatComment,
  formatMarkdown,
  formatTerminal,
  shortened,
  terminalText,
  type Report,
} from '../report/index.js';
import { parseShare, type Share } from '../shards/index.js';
import type { Occasion } from './occasion.js';
import type { Posting } from './tell.js';

/** The action's inputs. */
export interface ActionInputs {
  /**
   * `gate` judges; `merge` judges what shards measured; `comment` posts a report that an earlier job or run left; `audit`
   * looks at the calibration images.
   */
  readonly mode: 'gate' | 'merge' | 'comment' | 'audit';
  /** Of `gate`: the share to measure, in place of judging. */
  readonly shard: Share | undefined;
  /** Of `merge`: absolute folders of shards. */
  readonly shards: readonly string[];
  /** Whether an audit and a scheduled gate keep an issue. */
  readonly issue: boolean;
  readonly config: string;
  readonly workingDirectory: string;
  readonly reportFolder: string | undefined;
  /** Folders outside the workspace that settings may name. */
  readonly dataFolders: readonly string[];
  /** Whether measurements and history are carried between runs. */
  readonly cache: boolean;
  readonly posting: Posting;
}

/** Inputs as the workflow gives them. @throws InputFault when a path leaves the workspace, or a word is unknown. */
export function readInputs(): ActionInputs {
  const workspace = resolve(process.env.GITHUB_WORKSPACE ?? process.cwd());
  const workingDirectory = inside(
    workspace,
    resolve(workspace, core.getInput('working-directory') || '.'),
    'working-directory',
  );
  const folder = core.getInput('report-folder');
  const config = inside(
    workspace,
    resolve(workingDirectory, core.getInput('config') || 'int8-gate.yml'),
    'config',
  );
  const mode = oneOf('mode', ['gate', 'merge', 'comment', 'audit'], 'gate');
  return {
    mode,
    ...readSplit(mode, (path) => inside(workspace, resolve(workingDirectory, path), 'shards')),
    issue: oneOf('issue', ['true', 'false'], 'true') === 'true',
    cache: oneOf('cache', ['true', 'false'], 'true') === 'true',
    config,
    workingDirectory,
    reportFolder:
      folder === '' ? undefined : inside(workspace, resolve(workingDirectory, folder), 'report-folder'),
    dataFolders: core.getMultilineInput('data-folders').map((one) => resolve(workspace, one)),
    posting: {
      token: core.getInput('token'),
      name: nameOf(relative(workspace, config).split(sep).join('/')),
      comment: oneOf('comment', ['true', 'false'], 'true') === 'true',
      check: oneOf('check', ['true', 'false'], 'true') === 'true',
      reportUrl: addressOf(core.getInput('report-url')),
    },
  };
}

/** @throws InputFault when what is given does not belong to the mode, or lacks. */
function readSplit(
  mode: ActionInputs['mode'],
  place: (path: string) => string,
): Pick<ActionInputs, 'shard' | 'shards'> {
  const [shard, shards] = [core.getInput('shard'), core.getMultilineInput('shards')];
  if (shard !== '' && mode !== 'gate')
    throw new InputFault({
      where: 'input shard',
      what: `has no meaning with \`mode: ${mode}\``,
      fix: 'Leave it out, or measure with `mode: gate`.',
    });
  if (mode === 'merge' && shards.length === 0)
    throw new InputFault({
      where: 'input shards',
      what: 'is empty: `mode: merge` joins what it names',
      fix: 'Name the folder that the artifacts of the shards were downloaded to.',
    });
  if (mode !== 'merge' && shards.length > 0)
    throw new InputFault({
      where: 'input shards',
      what: `has no meaning with \`mode: ${mode}\``,
      fix: 'Leave it out, or join them with `mode: merge`.',
    });
  return {
    shard: shard === '' ? undefined : parseShare(shard, 'input shard'),
    shards: shards.map(place),
  };
}

/** The check's name, and what parts the comments of two gates: given, or by the settings file when it is not the usual one. */
function nameOf(config: string): string {
  const name = core.getInput('name');
  if (name !== '') return shortened(name, 100);
  return config === 'int8-gate.yml' ? 'int8-gate' : shortened(`int8-gate (${config})`, 100);
}

function addressOf(text: string): string | undefined {
  if (text === '') return undefined;
  // It becomes the target of a link: no sign may end it early.
  if (URL.canParse(text) && /^https?:\/\/[\w.~:/?#@&=+%-]+$/.test(text)) return text;
  throw new InputFault({
    where: 'input report-url',
    what: 'is no http address',
    fix: 'Give an address that begins with https://, or leave the input out.',
  });
}

function oneOf<const T extends string>(input: string, words: readonly T[], otherwise: T): T {
  const text = core.getInput(input);
  if (text === '') return otherwise;
  const found = words.find((one) => one === text);
  if (found !== undefined) return found;
  throw new InputFault({
    where: `input ${input}`,
    what: `is "${text}", expected ${words.join(' or ')}`,
    fix: 'Correct the input in the workflow.',
  });
}

/**
 * The gate loads the model, settings and images of what is checked out; it must not do that for a pull request with the
 * base's token and secrets at hand.
 * @throws InputFault when the event is of that kind
 */
export function refuseHeadCode(occasion: Occasion, mode: ActionInputs['mode']): void {
  const event =
    occasion.kind === 'pull-request' && occasion.privileged
      ? 'pull_request_target'
      : occasion.kind === 'workflow-run' && occasion.ofPullRequest
        ? 'workflow_run of a pull request'
        : undefined;
  if (event === undefined || mode === 'comment') return;
  throw new InputFault({
    where: `event ${event}`,
    what: 'the files of a pull request would be judged with the token and the secrets of the base',
    fix: 'Judge on `pull_request`, which needs no secrets, and let a second workflow on `workflow_run` post with `mode: comment`: docs/workflows/fork-safe-*.yml.',
  });
}

/** A path that an input names. @throws InputFault when it leaves the workspace. */
export function inside(workspace: string, path: string, input: string): string {
  const away = relative(workspace, path);
  if (!away.startsWith('..') && !isAbsolute(away)) return path;
  throw new InputFault({
    where: `input ${input}`,
    what: `${path} lies outside the workspace`,
    fix: 'Name a path inside the checked-out repository.',
  });
}

/** A shard has no verdict: its file is all that it leaves. */
export function publishShard(folder: string, words: string): void {
  core.setOutput('report-path', folder);
  process.stdout.write(`${words}\n`);
}

/** GitHub drops a summary of 1 MiB or more. */
export const SUMMARY_BYTES = 900_000;

/** Outputs, the job summary and the annotation of the verdict. */
export async function publish(report: Report, folder: string, exitStatus: ExitStatus): Promise<void> {
  const { fp32, int8, mixed } = report.variants;
  const outputs: Readonly<Record<string, string | number | undefined>> = {
    verdict: report.verdict.kind,
    // A step that prints it must not say a command of the runner that is someone's layer name.
    why: terminalText(report.verdict.why),
    'map-fp32': fp32.stats.AP,
    'map-int8': int8.stats.AP,
    'map-mixed': mixed?.stats.AP,
    'map50-fp32': fp32.stats.AP50,
    'map50-int8': int8.stats.AP50,
    'map50-mixed': mixed?.stats.AP50,
    'float-layers': (mixed ?? int8).floatLayers,
    'report-path': folder,
  };
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value ?? '');
  process.stdout.write(
    `${formatTerminal(report, { color: false, width: 100 })}\n\nReport: ${terminalText(folder)}\n`,
  );
  await summarizeReport(report);
  if (exitStatus !== EXIT.pass)
    core.error(terminalText(report.verdict.why), { title: `int8-gate: ${report.verdict.kind}` });
}

/** The comment's text, for the summary. */
export function briefly(report: Report, maxBytes: number): string {
  const frame = { marker: '', run: undefined, files: undefined, commit: undefined, notes: [], maxBytes };
  return formatComment(report, frame).trimStart();
}

/** The report's long form, or where names without measure make that too long the form that cuts everything. */
async function summarizeReport(report: Report): Promise<void> {
  const text = formatMarkdown(report, { maxBytes: SUMMARY_BYTES });
  await summarize(Buffer.byteLength(text) <= SUMMARY_BYTES ? text : briefly(report, SUMMARY_BYTES));
}

/** Appends to the job summary. One that cannot be written is told, and changes nothing about the verdict. */
export async function summarize(markdown: string): Promise<void> {
  try {
    await core.summary.addRaw(markdown).write();
  } catch (error) {
    core.warning(`The job summary could not be written: ${messageOf(error)}`);
  }
}

/** A problem as an annotation, on its line where it has one. */
export function annotate(problem: Problem, file: string): void {
  const place = /:(\d+):(\d+) /.exec(`${problem.where} `);
  core.error(describeProblem(problem), {
    title: 'int8-gate',
    ...(place !== null && { file, startLine: Number(place[1]), startColumn: Number(place[2]) }),
  });
}
