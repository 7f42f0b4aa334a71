/** The base of a pull request: from a kept report, or measured in this run from its commit. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { readKept, type BaseRequest, type Kept, type Repository, type Terms } from '../baseline/index.js';
import { InputFault, describeProblem } from '../faults/index.js';
import { checkInputs, parseSettings, type LoadedSettings } from '../settings/index.js';
import type { Context, Progress } from './context.js';
import { groundTruthOf } from './ground-truth.js';
import { shelfOf } from './kept-base.js';

/** The base, before it is held against the head. */
export type FoundBase =
  | {
      readonly kind: 'measured';
      readonly source: 'report' | 'cache' | 'computed';
      /** As it was named. */
      readonly where: string;
      readonly commit: string | undefined;
      readonly kept: Kept;
      /** Images of the base's own validation set. */
      readonly images: number;
    }
  | { readonly kind: 'missing'; readonly why: string }
  /** It has no settings: int8-gate is new here. */
  | { readonly kind: 'first'; readonly why: string }
  | { readonly kind: 'none' };

/** Runs the main job; handed in, since that job asks for the base itself. */
export type RunJob = (loaded: LoadedSettings, context: Context) => Promise<unknown>;

/**
 * Finds the base that was asked for; undefined when nobody said anything. A base whose model or data cannot be used is
 * missing, with the reason, so that the head's own numbers are still told.
 */
export async function findBase(
  terms: Terms,
  request: BaseRequest | undefined,
  context: Context,
  run: RunJob,
): Promise<FoundBase | undefined> {
  if (request === undefined || request.kind === 'none') return request && { kind: 'none' };
  const { repository, withoutBase } = terms;
  if (request.kind === 'report') {
    const kept = await readKept(request.file);
    const { images } = kept.report.data.validation;
    const where = basename(request.file);
    return { kind: 'measured', source: 'report', where, commit: repository?.commit, kept, images };
  }
  if (withoutBase !== undefined) return { kind: 'first', why: withoutBase };
  if (repository === undefined) throw new Error('a ref was named and no repository opened');
  return measureBase(terms, repository, request.ref, context, run);
}

/**
 * Keeps a run that has no base, one of the default branch, as the base of pull requests to come: under the same key by
 * which {@link findBase} looks for it, so it is found where nothing changed that its numbers depend on.
 */
export async function keepAsBase(loaded: LoadedSettings, context: Context): Promise<void> {
  const shelf = await shelfOf(onHeadsSet(loaded, loaded), context);
  await shelf.put(await readKept(context.out));
}

/** Checks out the base and runs the main job there: its model and calibration, on the head's validation set. */
async function measureBase(
  { loaded }: Terms,
  repository: Repository,
  ref: string,
  context: Context,
  run: RunJob,
): Promise<FoundBase> {
  const out = await mkdtemp(join(tmpdir(), 'int8-gate-base-report-'));
  try {
    return await repository.checkedOut(async (folder) => {
      const base = await settingsIn(folder, loaded, repository);
      const images = (await groundTruthOf(base.settings)).images.length;
      const measured = onHeadsSet(base, loaded);
      const shelf = await shelfOf(measured, context);
      const earlier = await shelf.get();
      const common = { kind: 'measured', where: ref, commit: repository.commit, images } as const;
      if (earlier !== undefined) return { ...common, source: 'cache', kept: earlier } as const;
      const progress = of(ref, context.progress);
      // The base is measured and not judged, and no history is its own.
      await run(measured, { signal: context.signal, out, base: { kind: 'none' }, progress });
      const kept = await readKept(out);
      await shelf.put(kept);
      return { ...common, source: 'computed', kept } as const;
    });
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    const [problem] = error.problems;
    return {
      kind: 'missing',
      why: `${ref} cannot be measured: ${problem === undefined ? error.message : describeProblem(problem)}`,
    };
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** The base's settings in its checkout; inputs that git does not hold are taken from the head's work tree. */
async function settingsIn(
  folder: string,
  head: LoadedSettings,
  repository: Repository,
): Promise<LoadedSettings> {
  const text = await repository.read(head.file);
  if (text === undefined) throw new Error('the base has no settings, which was found out before');
  const file = join(folder, relative(repository.root, head.file));
  const loaded = parseSettings(text, file, (path) => {
    const checkedOut = resolve(dirname(file), path);
    const inWorkTree = resolve(dirname(head.file), path);
    return !existsSync(checkedOut) && existsSync(inWorkTree) ? inWorkTree : checkedOut;
  });
  await checkInputs(loaded);
  return loaded;
}

/** Both are measured on the same images, or their numbers say nothing about each other. Waivers are for the head. */
function onHeadsSet(base: LoadedSettings, head: LoadedSettings): LoadedSettings {
  const { validation, gate } = head.settings;
  const measured = { ...gate };
  delete measured.waivers;
  const report = { ...base.settings.report, keepModels: false };
  return { ...base, settings: { ...base.settings, validation, gate: measured, report } };
}

function of(ref: string, progress: Progress): Progress {
  return {
    phase: (title) => progress.phase(`${ref}: ${title}`),
    update: (done, total) => progress.update(done, total),
    end: () => progress.end(),
  };
}
