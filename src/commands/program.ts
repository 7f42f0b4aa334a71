import { writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { BaseRequest } from '../baseline/index.js';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT, InputFault, type ExitStatus } from '../faults/index.js';
import { formatAuditTerminal } from '../audit/index.js';
import { formatLint, lintModel } from '../lint/index.js';
import { readModel } from '../onnx/index.js';
import {
  runAudit,
  runEvaluate,
  runGate,
  runMerge,
  runPlan,
  runQuantize,
  runSensitivity,
  runShard,
  VERSION,
  type Context,
  type RunResult,
  type ShardResult,
} from '../pipeline/index.js';
import { formatTerminal, terminalText, wrappedLines, type ConsoleStyle } from '../report/index.js';
import { parseShare } from '../shards/index.js';
import { loadSettings, type LoadedSettings } from '../settings/index.js';
import { createAsk } from './ask.js';
import { examine, formatFindings } from './doctor.js';
import { diffFiles } from './diff.js';
import { evaluateFiles, formatEvaluation, formatStats, type FileOptions } from './evaluate-files.js';
import { endingOf, endingText } from './faults.js';
import { init, type InitOptions } from './init.js';
import { createProgress } from './progress.js';
import { reportPage } from './report.js';

interface JobOptions {
  readonly config: string;
  readonly out?: string;
  readonly json?: boolean;
}

interface PlanOptions extends JobOptions {
  /** `true` when given without a file. */
  readonly write?: string | true;
}

interface RunOptions extends JobOptions {
  readonly shard?: string;
  readonly base?: string | false;
  readonly baseRef?: string;
  readonly history?: string;
  readonly commit?: string;
}

interface EvaluateOptions extends JobOptions, FileOptions {
  readonly groundTruth?: string;
  readonly detections?: string;
}

const DEFAULT_CONFIG = 'int8-gate.yml';

/** Runs the command line; answers the exit status. Never throws for what a user can do. */
export async function runCommand(argv: readonly string[]): Promise<ExitStatus> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let status: ExitStatus = EXIT.pass;
  const program = build(abort.signal, (next) => (status = next));
  try {
    await program.parseAsync([...argv]);
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.pass : EXIT.badInput;
    return tell(error, argv.includes('--json'));
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function tell(error: unknown, json: boolean): ExitStatus {
  const ending = endingOf(error);
  process.stderr.write(`${endingText(ending)}\n`);
  if (process.env.INT8_GATE_DEBUG !== undefined && error instanceof Error)
    process.stderr.write(`${error.stack ?? ''}\n`);
  if (json) print(JSON.stringify({ error: ending }));
  return ending.exitStatus;
}

/** Written at once: a pipe would lose what is still buffered when the program ends. */
function print(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

function build(signal: AbortSignal, end: (status: ExitStatus) => void): Command {
  const program = new Command('int8-gate')
    .description('Tells whether a detector survives INT8, which layers break it, and what to do.')
    .version(VERSION)
    .addHelpText(
      'after',
      `
Begin with \`int8-gate init\`, then \`int8-gate run\`.
Exit status: 0 pass, 1 fail or inconclusive, 2 bad input, 3 the surroundings failed (engine, disk, network).`,
    )
    .exitOverride()
    .showHelpAfterError();
  const job = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'settings file', DEFAULT_CONFIG)
      .option('-o, --out <dir>', 'folder of the report')
      .option('--json', 'print JSON instead of text');
  const judging = (command: Command): Command =>
    command
      .option(
        '--base <report>',
        "report.json of the base, or its folder: the judged engine is held against the base's",
      )
      .option(
        '--base-ref <ref>',
        'branch or commit whose settings judge, and that is measured where no --base is named',
      )
      .option('--no-base', 'there is no base, and limits on what is lost against it judge nothing')
      .option('--history <file>', 'file of earlier runs, to which this one is added')
      .option('--commit <sha>', 'commit that the run is of, for the history');
  const tellRun = ({ report, exitStatus, reportFolder }: RunResult, json: boolean): void => {
    print(
      json
        ? JSON.stringify(report)
        : `\n${formatTerminal(report, style())}\n\nReport: ${terminalText(join(reportFolder, 'report.html'))}`,
    );
    end(exitStatus);
  };
  judging(job('run', 'evaluate FP32, INT8 and mixed precision, judge, and write the report'))
    .option('--shard <i/n>', 'measure the i-th of n shares into a file for `merge`, and judge nothing')
    .action(async (options: RunOptions) => {
      const { loaded, context } = await openRun(options, signal);
      if (options.shard === undefined) tellRun(await runGate(loaded, context), options.json === true);
      else print(await shard(loaded, context, options));
    });
  judging(job('merge', 'join what `run --shard` measured, judge, and write the report'))
    .argument('<shards...>', 'files of all shards, or folders that hold them')
    .action(async (shards: readonly string[], options: RunOptions) => {
      const { loaded, context } = await openRun(options, signal);
      tellRun(await runMerge(loaded, context, shards), options.json === true);
    });
  job('plan', 'look for the cheapest plan that passes, and write it')
    .option('-w, --write [file]', 'write the plan where the settings name it, or to this file')
    .action(async (options: PlanOptions) => {
      const { loaded, context } = await open(options, signal, { newPlan: true });
      const result = await runPlan(loaded, context, options.write);
      print(
        options.json === true
          ? JSON.stringify(result.report)
          : `\n${formatTerminal(result.report, style())}\n\n${wrappedLines(result.written.map(terminalText).join('\n'), style().width)}`,
      );
      end(result.exitStatus);
    });
  job(
    'audit',
    'tell what the calibration images are worth: duplicates, coverage, who sets the ranges, drift',
  ).action(async (options: JobOptions) => {
    const { loaded, context } = await open(options, signal);
    const { audit, exitStatus } = await runAudit(loaded, context);
    const report = join(context.out, 'audit.html');
    print(
      options.json === true
        ? JSON.stringify(audit)
        : `\n${formatAuditTerminal(audit, style())}\n\nReport: ${terminalText(report)}`,
    );
    end(exitStatus);
  });
  job('quantize', 'calibrate and write the model with Q/DQ, without evaluating').action(
    async (options: JobOptions) => {
      const { loaded, context } = await open(options, signal);
      const made = await runQuantize(loaded, context);
      print(
        options.json === true
          ? JSON.stringify(made)
          : [
              `${made.int8Layers} layers in INT8, ${made.floatLayers} in float`,
              `model: ${made.model}`,
              ...(made.strong === undefined ? [] : [`strong: ${made.strong}`]),
              `plan:  ${made.plan}`,
              `cache: ${made.cache}`,
              ...made.fp32.map(({ node, why }) => terminalText(`stays FP32: ${node}: ${why}`)),
            ].join('\n'),
      );
    },
  );
  job('evaluate', 'mAP of the FP32 model, or of a COCO results file')
    .option('--ground-truth <file>', 'COCO annotations, with --detections')
    .option('--detections <file>', 'COCO results, with --ground-truth')
    .addOption(
      new Option('--metric <name>', 'of files: COCO, or Pascal VOC by 11 points or by all')
        .choices(['coco', 'voc07', 'voc'])
        .default('coco'),
    )
    .addOption(new Option('--iou-type <type>', 'what overlaps').choices(['bbox']).default('bbox'))
    .addOption(
      new Option(
        '--ids <rule>',
        "annotation id 0 and repeated ids: as any other and refused, or pycocotools' way",
      )
        .choices(['distinct', 'pycocotools'])
        .default('distinct'),
    )
    .action(async (options: EvaluateOptions) => print(await evaluate(options, signal)));
  job('sensitivity', 'rank layers by what INT8 does to the output').action(async (options: JobOptions) => {
    const { loaded, context } = await open(options, signal);
    const rows = await runSensitivity(loaded, context);
    const line = ({ rank, sqnr, name }: (typeof rows)[number]): string =>
      `${String(rank).padStart(4)}  ${(sqnr === null ? '–' : sqnr.toFixed(1)).padStart(6)} dB  ${terminalText(name)}`;
    print(options.json === true ? JSON.stringify(rows) : rows.map(line).join('\n'));
  });
  program
    .command('lint')
    .description('tell what TensorRT refuses, misreads or runs slowly in a model with Q/DQ')
    .argument('<model>', 'the .onnx file')
    .option('--json', 'print JSON instead of text')
    .action(async (model: string, options: { readonly json?: boolean }) => {
      const result = lintModel(await readModel(model));
      const text = (): string =>
        wrappedLines(formatLint(result).split('\n').map(terminalText).join('\n'), style().width);
      print(options.json === true ? JSON.stringify(result) : text());
      const wrong = result.findings.some(({ severity }) => ['refused', 'misread'].includes(severity));
      end(wrong ? EXIT.fail : EXIT.pass);
    });
  program
    .command('diff')
    .description('compare the layers of two reports')
    .argument('<base>', 'report.json of the base branch')
    .argument('<head>', 'report.json of the pull request')
    .option('--json', 'print JSON instead of text')
    .action(async (base: string, head: string, options: { readonly json?: boolean }) =>
      print(await diffFiles(base, head, { json: options.json === true, width: style().width })),
    );
  program
    .command('report')
    .description('make report.html from a report.json, or audit.html from an audit.json')
    .argument('<report>', 'what a run or an audit wrote')
    .option('-o, --out <dir>', 'folder of report.html', '.')
    .action(async (file: string, options: { readonly out: string }) =>
      print(await reportPage(file, options.out)),
    );
  program
    .command('init')
    .description('look at a model and its data, and write a settings file and the workflows that use it')
    .option('-c, --config <file>', 'settings file to write', DEFAULT_CONFIG)
    .option('--model <file>', 'the .onnx file')
    .option('--images <dir>', 'validation images')
    .option('--annotations <path>', 'annotations of the validation images: COCO, YOLO or Pascal VOC')
    .option('--calibration <dir>', 'calibration images')
    .option('--max-drop <fraction>', 'fall of mAP50-95 below FP32 that may pass, as 0.02', fraction)
    .option('--no-workflows', 'write no workflows for GitHub Actions')
    .option('--force', 'overwrite what is there')
    .option('--yes', 'ask nothing')
    .action(async (options: InitOptions & { readonly yes?: boolean }) => {
      const asks = options.yes !== true && process.stdin.isTTY && process.stderr.isTTY;
      print(await init(options, asks ? createAsk(process.stdin, process.stderr) : undefined));
    });
  program
    .command('doctor')
    .description('tell which engines, GPU and versions are here and what is missing')
    .option('--json', 'print JSON instead of text')
    .option('--python <program>', 'the Python that has TensorRT', 'python3')
    .option('--gpu <index>', 'the GPU, in the order of the PCI bus', index, 0)
    .action(async (options: { readonly json?: boolean; readonly python: string; readonly gpu: number }) => {
      const findings = await examine(options.python, options.gpu);
      print(options.json === true ? JSON.stringify(findings) : formatFindings(findings, style()));
      end(findings.some(({ state }) => state === 'missing') ? EXIT.surroundings : EXIT.pass);
    });
  return program;
}

/** @throws InputFault when the share is none, or a history is asked for, which has a point for each report. */
async function shard(loaded: LoadedSettings, context: Context, options: RunOptions): Promise<string> {
  if (options.history !== undefined)
    throw new InputFault({
      where: 'run',
      what: '--shard and --history contradict each other: a shard is no report',
      fix: 'Give --history to `merge`.',
    });
  const made = await runShard(loaded, context, parseShare(options.shard ?? '', 'run --shard'));
  return options.json === true ? JSON.stringify(made) : shardText(made);
}

/** What a shard measured, in words. */
export function shardText({ file, shard: { index, count }, evaluated, ranked }: ShardResult): string {
  return `Shard ${index} of ${count}: ${evaluated} images evaluated, ${ranked} of the ranking\nShard file: ${terminalText(file)}`;
}

/** Settings and context of a run that judges. */
async function openRun(
  options: RunOptions,
  signal: AbortSignal,
): Promise<{ readonly loaded: LoadedSettings; readonly context: Context }> {
  const { loaded, context } = await open(options, signal);
  const history = options.history === undefined ? undefined : resolve(options.history);
  return { loaded, context: { ...context, base: baseOf(options), history, commit: options.commit } };
}

/** @throws InputFault when a base is named and denied at once. */
function baseOf({ base, baseRef }: RunOptions): BaseRequest | undefined {
  if (base === false) {
    if (baseRef === undefined) return { kind: 'none' };
    throw new InputFault({
      where: 'run',
      what: '--no-base and --base-ref contradict each other',
      fix: 'Give one.',
    });
  }
  if (typeof base === 'string')
    return { kind: 'report', file: resolve(base), ...(baseRef !== undefined && { ref: baseRef }) };
  return baseRef === undefined ? undefined : { kind: 'ref', ref: baseRef };
}

function index(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number from 0 on is expected.');
}

function fraction(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('A number between 0 and 1 is expected, as 0.02 for two points.');
}

async function evaluate(options: EvaluateOptions, signal: AbortSignal): Promise<string> {
  const { groundTruth, detections } = options;
  if (groundTruth !== undefined && detections !== undefined) {
    const found = await evaluateFiles(groundTruth, detections, options);
    return options.json === true ? JSON.stringify(found) : formatEvaluation(found);
  }
  if (groundTruth !== undefined || detections !== undefined)
    throw new InputFault({
      where: 'evaluate',
      what: '--ground-truth and --detections go together',
      fix: 'Name both, or neither to evaluate the FP32 model of the settings.',
    });
  if (options.metric !== 'coco' || options.ids !== 'distinct')
    throw new InputFault({
      where: 'evaluate',
      what: '--metric and --ids are for files',
      fix: 'Name --ground-truth and --detections too.',
    });
  const { loaded, context } = await open(options, signal);
  const stats = await runEvaluate(loaded, context);
  return options.json === true ? JSON.stringify(stats) : formatStats(stats);
}

async function open(
  options: JobOptions,
  signal: AbortSignal,
  how: Parameters<typeof loadSettings>[1] = {},
): Promise<{ readonly loaded: LoadedSettings; readonly context: Context }> {
  const loaded = await loadSettings(options.config, how);
  const out = resolve(options.out ?? loaded.settings.report.folder);
  return { loaded, context: { signal, out, progress: createProgress(process.stderr, process.env) } };
}

function style(): ConsoleStyle {
  return {
    color: wantsColor(process.stdout.isTTY, process.env),
    width: Math.min(process.stdout.columns || 80, 120),
  };
}

/** Colour on terminals that know it, unless NO_COLOR (no-color.org) is set to anything; FORCE_COLOR turns it on in logs. */
export function wantsColor(isTTY: boolean | undefined, environment: NodeJS.ProcessEnv): boolean {
  const { NO_COLOR = '', FORCE_COLOR = '', TERM } = environment;
  if (NO_COLOR !== '') return false;
  if (FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return isTTY === true && TERM !== 'dumb';
}
