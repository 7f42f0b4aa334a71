/** data.yaml: where the images of a YOLO set lie, and what its classes are called. */
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { InputFault } from '../faults/index.js';
import { kindOf, readBytes } from './files.js';
import { Problems, show } from './problems.js';
import { isObject } from './records.js';

/** Which part of a set is meant. */
export type Split = 'train' | 'val' | 'test';

/** What of a data.yaml concerns one split. */
export interface YoloConfig {
  /** Class names by index. */
  readonly names: readonly string[];
  /** Folders of images and text files that list images; absolute, existing. Empty when not asked for. */
  readonly places: readonly string[];
}

/** Other names under which sets keep a split. */
const ALIASES: Readonly<Record<Split, readonly string[]>> = {
  train: ['train'],
  val: ['val', 'valid', 'validation'],
  test: ['test'],
};

interface ParsedYaml {
  readonly value: Readonly<Record<string, unknown>>;
  /** `file:line:col key` of a key that may be missing. */
  readonly place: (key: string) => string;
}

/**
 * Reads a data.yaml.
 * @param split - undefined when the images lie elsewhere and only names are wanted
 * @throws InputFault naming line and key
 */
export async function readYoloConfig(file: string, split: Split | undefined): Promise<YoloConfig> {
  const yaml = parseYaml((await readBytes(file, 'data.yaml')).toString('utf8'), file);
  const problems = new Problems();
  const names = readNames(yaml, problems);
  problems.throwIfAny(file);
  return { names, places: split === undefined ? [] : await findPlaces(yaml, file, split) };
}

function parseYaml(text: string, file: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0)
    throw new InputFault(
      document.errors.map(({ pos, message }) => ({
        where: at(pos[0]),
        what: message,
        fix: 'Correct the YAML at this place.',
      })),
    );
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 50 });
  } catch (cause) {
    throw new InputFault(
      {
        where: file,
        what: 'has aliases that expand without end',
        fix: 'Write the values out instead of `*alias`.',
      },
      { cause },
    );
  }
  if (!isObject(value))
    throw new InputFault({
      where: file,
      what: `must have keys such as val and names, is ${show(value)}`,
      fix: 'Write `val: images/val` and `names: [first, second]`, as Ultralytics has it.',
    });
  const place = (key: string): string => {
    const node = document.get(key, true) as { range?: [number, number, number] | null } | undefined;
    const range = node?.range;
    return range === undefined || range === null ? `${file} ${key}` : `${at(range[0])} ${key}`;
  };
  return { value, place };
}

function readNames({ value, place }: ParsedYaml, problems: Problems): readonly string[] {
  const wrong = (key: string, what: string, fix?: string): readonly string[] => {
    problems.add(place(key), what, fix);
    return [];
  };
  const given = value['names'];
  if (given === undefined || given === null)
    return wrong('names', 'is missing', 'List the names of the classes in the order of their numbers.');
  if (!Array.isArray(given) && !isObject(given))
    return wrong('names', `must be a list, or a map of numbers to names, is ${show(given)}`);
  const entries: readonly [string, unknown][] = Array.isArray(given)
    ? (given as unknown[]).map((name, i) => [String(i), name])
    : Object.entries(given);
  const names: string[] = [];
  for (const [key, name] of entries) {
    const text = typeof name === 'number' || typeof name === 'boolean' ? String(name) : name;
    if (typeof text !== 'string' || text.trim() === '')
      return wrong('names', `the name of class ${key} must be a text, is ${show(name)}`);
    if (!/^\d+$/.test(key) || Number(key) >= entries.length)
      return wrong(
        'names',
        `class ${show(key)} is not in 0…${entries.length - 1}, though there are ${entries.length} names`,
      );
    names[Number(key)] = text;
  }
  if (names.length === 0) return wrong('names', 'is empty');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return wrong('names', `${show(twice)} names two classes`);
  const count = value['nc'];
  if (count !== undefined && count !== names.length)
    return wrong('nc', `says ${show(count)} classes, names has ${names.length}`);
  return names;
}

async function findPlaces(yaml: ParsedYaml, file: string, split: Split): Promise<readonly string[]> {
  const key = ALIASES[split].find((name) => yaml.value[name] !== undefined && yaml.value[name] !== null);
  if (key === undefined) {
    const known = Object.values(ALIASES)
      .flat()
      .filter((name) => yaml.value[name]);
    throw new InputFault({
      where: `${file} ${split}`,
      what: `is missing${known.length > 0 ? `; the file has ${known.join(' and ')}` : ''}`,
      fix: 'Name the split with `validation.split`, or the folder of images with `validation.images`.',
    });
  }
  const given = yaml.value[key];
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const base = typeof yaml.value['path'] === 'string' ? yaml.value['path'] : '';
  const problems = new Problems();
  const found: string[] = [];
  for (const entry of list) {
    if (typeof entry !== 'string' || entry === '') {
      problems.add(
        yaml.place(key),
        `must name a folder, a text file or a list of them, is ${show(entry)}`,
        'Write for example `val: images/val`.',
      );
      continue;
    }
    const candidates = candidatesOf(dirname(file), base, entry);
    const there = await firstOf(candidates);
    if (there !== undefined) found.push(there);
    else
      problems.add(
        yaml.place(key),
        `${entry} is not there (looked at ${candidates.join(', ')})`,
        'Correct `path` or the split, or name the folder of images with `validation.images`.',
      );
  }
  problems.throwIfAny(file);
  return found;
}

/**
 * Where an entry may lie: under `path`; under the file's own folder, since `path` often is that of the machine that
 * trained; and without a leading `../`, as exports of Roboflow have it.
 */
function candidatesOf(folder: string, base: string, entry: string): readonly string[] {
  const roots = [resolve(folder, base), folder];
  const entries = entry.startsWith('../') ? [entry, entry.slice(3)] : [entry];
  return [...new Set(roots.flatMap((root) => entries.map((one) => resolve(root, one))))];
}

async function firstOf(candidates: readonly string[]): Promise<string | undefined> {
  for (const path of candidates) if ((await kindOf(path)) !== 'none') return path;
  return undefined;
}
