import { basename, dirname, join, relative, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { InputFault } from '../faults/index.js';
import { formatPlan } from '../quantization/index.js';
import type { LoadedSettings } from '../settings/index.js';
import type { Context } from './context.js';
import { runGate, type RunResult } from './run.js';
import { writeTogether } from './write-together.js';

/** What `plan` leaves behind. */
export interface PlanResult extends RunResult {
  /** What was written, and what to do with it, in sentences. */
  readonly written: readonly string[];
}

/** Name of a plan file where the settings name none; beside the settings. */
const DEFAULT_FILE = 'int8-gate.plan.json';

/**
 * Looks for the cheapest plan that passes, whatever plan the settings name, and writes the report with it.
 *
 * @param write the file to write the plan to; `true`: where the settings name it. A plan that fails is not written, nor one
 * that only `inconclusive: pass` would let through the gate while its fall is beyond a limit: the exit status is 1 then.
 */
export async function runPlan(
  loaded: LoadedSettings,
  context: Context,
  write?: string | true,
): Promise<PlanResult> {
  const { settings, place } = loaded;
  if (settings.gate.candidate === 'int8')
    throw new InputFault({
      where: place('/gate/candidate'),
      what: 'is int8: no plan is looked for',
      fix: 'Say `candidate: mixed`, or leave it out.',
    });
  if (!settings.sensitivity.enabled)
    throw new InputFault({
      where: place('/sensitivity/enabled'),
      what: 'is false, and a plan is found by the ranking of layers',
      fix: 'Take the line out, or write a plan by hand.',
    });
  const named = settings.quantization.plan;
  const target =
    typeof write === 'string' ? resolve(write) : (named ?? join(dirname(loaded.file), DEFAULT_FILE));
  if (write !== undefined) await checkFolder(dirname(target));
  const result = await runGate(loaded, context, { anew: true });
  const found = join(result.reportFolder, 'plan.json');
  const where = relative(dirname(loaded.file), target);
  const none = result.report.plan?.search?.passes === false;
  if (none || result.exitStatus !== 0)
    return {
      ...result,
      exitStatus: result.exitStatus === 0 ? 1 : result.exitStatus,
      written: [`No plan passes. The best that was found: ${found}`],
    };
  const hint = named === target ? [] : [`In the settings: quantization: { plan: ${where} }`];
  if (write === undefined)
    return { ...result, written: [`Plan: ${found}`, 'With --write it goes where you commit it.', ...hint] };
  await writeTogether(dirname(target), {
    [basename(target)]: formatPlan(result.plan),
  });
  return { ...result, written: [`Plan written to ${target}. Commit it.`, ...hint] };
}

/** @throws InputFault before minutes are spent. */
async function checkFolder(folder: string): Promise<void> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory() === true) return;
  throw new InputFault({
    where: folder,
    what: 'is no folder that the plan could be written to',
    fix: 'Make it first.',
  });
}
