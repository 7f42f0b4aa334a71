import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { InputFault, messageOf } from '../faults/index.js';
import { commonWaivers, type Waivers } from '../gate/index.js';
import type { SettingsChange } from '../report/index.js';
import { parseSettings, parseWaivers, type LoadedSettings, type Waiver } from '../settings/index.js';
import { openRepository, type Repository } from './git.js';
import { diffSettings } from './settings-diff.js';

/** How the base was named. */
export type BaseRequest =
  /** A report.json, with its detections beside it. */
  | { readonly kind: 'report'; readonly file: string; readonly ref?: string }
  /** A commit of the repository that the settings lie in. */
  | { readonly kind: 'ref'; readonly ref: string }
  /** There is none, and that is right: a run on the default branch. With a ref, its settings judge all the same. */
  | { readonly kind: 'none'; readonly ref?: string };

/** By what is judged. */
export interface Terms {
  /** The head's settings, judged by the base's `gate` section where there is a base ref. */
  readonly loaded: LoadedSettings;
  readonly waivers: Waivers;
  readonly settingsChanges: readonly SettingsChange[];
  /** The base's repository and its own settings, where a ref was named. */
  readonly repository: Repository | undefined;
  /** Why the base's settings could not count, in words. */
  readonly withoutBase: string | undefined;
}

/**
 * Settles by what a head is judged: with a base ref, by the `gate` section of the base's settings and by waivers that
 * base and head share; else by the head's own.
 * @param today - YYYY-MM-DD, UTC
 * @throws InputFault when the ref or a file of waivers cannot be read
 */
export async function settleTerms(
  head: LoadedSettings,
  request: BaseRequest | undefined,
  today: string,
): Promise<Terms> {
  const ref = request?.ref;
  const own = await ownWaivers(head);
  if (ref === undefined)
    return {
      loaded: head,
      waivers: { list: own, today },
      settingsChanges: [],
      repository: undefined,
      withoutBase: undefined,
    };
  const repository = await openRepository(dirname(head.file), ref);
  const text = await repository.read(head.file);
  if (text === undefined)
    return {
      loaded: head,
      waivers: { list: own, today },
      settingsChanges: [],
      repository,
      withoutBase: `${ref} has no ${basename(head.file)}, so the head is judged by its own settings`,
    };
  const base = atBase(text, head.file, ref);
  return {
    loaded: judgedBy(base, head),
    waivers: { list: commonWaivers(await baseWaivers(base, repository), own), today },
    settingsChanges: diffSettings(base, head),
    repository,
    withoutBase: undefined,
  };
}

/** Mistakes in the base's file are told as the base's. */
function atBase(text: string, file: string, ref: string): LoadedSettings {
  try {
    return parseSettings(text, file);
  } catch (error) {
    if (!(error instanceof InputFault)) throw error;
    throw new InputFault(
      error.problems.map((problem) => ({
        ...problem,
        where: `${ref}:${problem.where}`,
        fix: `${problem.fix ?? 'Mend it.'} It stands on the base, whose settings judge: mend it there first.`,
      })),
      { cause: error },
    );
  }
}

/** The head with the base's gate; places of the gate are those in the base's file. */
function judgedBy(base: LoadedSettings, head: LoadedSettings): LoadedSettings {
  return {
    settings: { ...head.settings, gate: base.settings.gate },
    file: head.file,
    place: (pointer) => (pointer.startsWith('/gate') ? base.place(pointer) : head.place(pointer)),
  };
}

/** Of the head's settings, in the work tree. */
async function ownWaivers({ settings, place }: LoadedSettings): Promise<readonly Waiver[]> {
  const file = settings.gate.waivers;
  if (file === undefined) return [];
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new InputFault(
      {
        where: place('/gate/waivers'),
        what: `${file} cannot be read: ${messageOf(cause)}`,
        fix: 'Name the committed file of waivers as `gate.waivers`, or take the line out.',
      },
      { cause },
    );
  }
  return parseWaivers(text, file);
}

/** Of the base's settings, at the base's commit; a file that it lacks holds none. */
async function baseWaivers({ settings }: LoadedSettings, repository: Repository): Promise<readonly Waiver[]> {
  const file = settings.gate.waivers;
  const text = file === undefined ? undefined : await repository.read(file);
  return text === undefined || file === undefined ? [] : parseWaivers(text, file);
}
