import { readFile, stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { InputFault, systemCode } from '../faults/index.js';
import { terminalText, shortened, type Finding, type Report } from '../report/index.js';
import { parseSettings, type LoadedSettings } from '../settings/index.js';
import type { Annotation } from './client.js';

/** The setting that a finding of each kind concerns, as a JSON pointer. */
const POINTERS: Readonly<Record<string, string>> = {
  'shared-scale': '/quantization/operators',
  'nothing-detected': '/quantization',
  'head-tested': '/quantization/head',
  'stale-plan': '/quantization/plan',
  'one-sided-calibration': '/calibration/images',
  'one-sided-range': '/calibration/images',
  saturation: '/calibration/calibrator',
  'range-outlier': '/calibration/calibrator',
  preprocessing: '/preprocessing',
  'expired-waiver': '/gate/waivers',
  'noisy-gpu': '/engine',
  'simulation-parts': '/engine',
};

/** A settings file and, where one is committed, the plan with its text. */
export interface Sources {
  readonly loaded: LoadedSettings;
  readonly plan: { readonly path: string; readonly text: string } | undefined;
  /** Root of the repository, to which paths are relative. */
  readonly root: string;
}

/** A plan names each layer once: 5,000 of them have less. */
const PLAN_BYTES = 4 * 2 ** 20;

/** Reads what annotations point into. A plan outside the repository, or one that is no file, has no line to point at. */
export async function sourcesOf(loaded: LoadedSettings, root: string): Promise<Sources> {
  const path = loaded.settings.quantization.plan;
  if (path === undefined || relative(root, path).startsWith('..')) return { loaded, plan: undefined, root };
  const about = await stat(path).catch(() => undefined);
  const readable = about?.isFile() === true && about.size <= PLAN_BYTES;
  return { loaded, plan: readable ? { path, text: await readFile(path, 'utf8') } : undefined, root };
}

/** The same where no settings were loaded to judge: a job that only posts may have checked out nothing, or something else. */
export async function sourcesAt(config: string, root: string): Promise<Sources | undefined> {
  try {
    return await sourcesOf(parseSettings(await readFile(config, 'utf8'), config), root);
  } catch (error) {
    if (error instanceof InputFault || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What does not hold and why, each on the line of the settings or plan file that it concerns. */
export function annotationsOf(report: Report, { loaded, plan, root }: Sources): readonly Annotation[] {
  const inside = (path: string): string | undefined => {
    const away = relative(root, path).split(sep).join('/');
    return away === '' || away.startsWith('..') ? undefined : away;
  };
  const settings = inside(loaded.file);
  const planned = plan === undefined ? undefined : inside(plan.path);
  const at = (
    path: string,
    line: number,
    level: Annotation['annotation_level'],
    text: string,
  ): Annotation => ({
    path,
    start_line: line,
    end_line: line,
    annotation_level: level,
    title: 'int8-gate',
    message: shortened(text.split('\n').map(terminalText).join('\n'), 4000),
  });
  const lineOf = (pointer: string): number => Number(/:(\d+):\d+/.exec(loaded.place(pointer))?.[1] ?? 1);
  const checks = report.verdict.checks
    .filter(({ kind }) => kind !== 'pass')
    .flatMap(({ kind, metric, sentence }) =>
      settings === undefined
        ? []
        : [
            at(
              settings,
              lineOf(`/gate/thresholds/${metric.replaceAll('~', '~0').replaceAll('/', '~1')}`),
              kind === 'inconclusive' && !report.verdict.blocks ? 'warning' : 'failure',
              sentence,
            ),
          ],
    );
  const findings = report.findings
    .filter(({ severity }) => severity !== 'info')
    .flatMap((finding) => {
      const text = `${finding.sentence}\n${finding.advice}`;
      const level = finding.severity === 'error' ? 'failure' : 'warning';
      const line = plan === undefined ? undefined : lineInPlan(finding, plan.text);
      if (planned !== undefined && line !== undefined) return [at(planned, line, level, text)];
      return settings === undefined
        ? []
        : [at(settings, lineOf(POINTERS[finding.kind] ?? '/model'), level, text)];
    });
  return [...checks, ...findings];
}

/** The line of a plan that names a layer of the finding, or its first line where the plan itself is the subject. */
function lineInPlan({ kind, layers = [], subject }: Finding, text: string): number | undefined {
  const lines = text.split('\n');
  const names = [...layers, subject].map((one) => `${JSON.stringify(one)}:`);
  const index = lines.findIndex((line) => names.some((one) => line.trimStart().startsWith(one)));
  if (index >= 0) return index + 1;
  return kind === 'stale-plan' ? 1 : undefined;
}
