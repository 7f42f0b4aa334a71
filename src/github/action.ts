import { isAbsolute, relative, resolve } from 'node:path';
import * as core from '@actions/core';
import {
  EXIT,
  InputFault,
  describeProblem,
  messageOf,
  type ExitStatus,
  type Problem,
} from '../faults/index.js';
import { formatMarkdown, formatTerminal, terminalText, type Report } from '../report/index.js';

/** The action's inputs. */
export interface ActionInputs {
  readonly config: string;
  readonly workingDirectory: string;
  readonly reportFolder: string | undefined;
}

/** Inputs as the workflow gives them. @throws InputFault when a path leaves the workspace. */
export function readInputs(): ActionInputs {
  const workspace = resolve(process.env.GITHUB_WORKSPACE ?? process.cwd());
  const workingDirectory = inside(
    workspace,
    resolve(workspace, core.getInput('working-directory') || '.'),
    'working-directory',
  );
  const folder = core.getInput('report-folder');
  return {
    config: inside(
      workspace,
      resolve(workingDirectory, core.getInput('config') || 'int8-gate.yml'),
      'config',
    ),
    workingDirectory,
    reportFolder:
      folder === '' ? undefined : inside(workspace, resolve(workingDirectory, folder), 'report-folder'),
  };
}

function inside(workspace: string, path: string, input: string): string {
  const away = relative(workspace, path);
  if (!away.startsWith('..') && !isAbsolute(away)) return path;
  throw new InputFault({
    where: `input ${input}`,
    what: `${path} lies outside the workspace`,
    fix: 'Name a path inside the checked-out repository.',
  });
}

/** GitHub drops a summary of 1 MiB or more. */
const SUMMARY_BYTES = 900_000;

/** Outputs, the job summary and the annotation of the verdict. */
export async function publish(report: Report, folder: string, exitStatus: ExitStatus): Promise<void> {
  const { fp32, int8, mixed } = report.variants;
  const outputs: Readonly<Record<string, string | number | undefined>> = {
    verdict: report.verdict.kind,
    why: report.verdict.why,
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
  await summarize(report);
  if (exitStatus !== EXIT.pass)
    core.error(report.verdict.why, { title: `int8-gate: ${report.verdict.kind}` });
}

/** A summary that cannot be written is told, and changes nothing about the verdict. */
async function summarize(report: Report): Promise<void> {
  try {
    await core.summary.addRaw(formatMarkdown(report, { maxBytes: SUMMARY_BYTES })).write();
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
