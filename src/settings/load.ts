import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { distance } from 'fastest-levenshtein';
import { LineCounter, isMap, isPair, parseDocument, type Document } from 'yaml';
import { InputFault, SurroundingsFault, messageOf, systemCode, type Problem } from '../faults/index.js';
import { settingsSchema } from './schema.js';
import type { LoadedSettings, Settings } from './types.js';

/** Keys that name inputs, and whether a file or a folder is meant. */
const INPUTS = [
  ['/model', 'file'],
  ['/validation/images', 'folder'],
  ['/validation/annotations', 'file or folder'],
  ['/calibration/images', 'folder'],
  ['/calibration/cache', 'file'],
  ['/quantization/plan', 'file'],
  ['/quantization/reference', 'file'],
  ['/sensitivity/profile', 'file'],
  ['/gate/waivers', 'file'],
] as const;

/** How settings are read. */
export interface LoadOptions {
  /** For looking for a plan: the file that the settings name may be yet to be written. */
  readonly newPlan?: boolean;
}

/** Reads a settings file. @throws InputFault with every mistake, each with its line and column. */
export async function loadSettings(path: string, options: LoadOptions = {}): Promise<LoadedSettings> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const loaded = parseSettings(text, file);
  await checkInputs(loaded, options);
  return loaded;
}

/** @throws InputFault for every input of the settings that is not there. */
export async function checkInputs(loaded: LoadedSettings, options: LoadOptions = {}): Promise<void> {
  const problems = await missingInputs(loaded, options);
  if (problems.length > 0) throw new InputFault(problems);
}

function unreadable(path: string, cause: unknown): Error {
  const code = systemCode(cause) ?? messageOf(cause);
  const what = {
    ENOENT: 'there is no such settings file',
    ENOTDIR: 'there is no such settings file',
    EISDIR: 'is a folder, expected a settings file',
  }[code];
  if (what !== undefined) {
    const fix = 'Write one with `int8-gate init`, or name another with `--config`.';
    return new InputFault({ where: path, what, fix }, { cause });
  }
  const fix = 'Check its permissions and the disk.';
  return new SurroundingsFault({ where: path, what: `cannot be read (${code})`, fix }, { cause });
}

/**
 * The pure part of {@link loadSettings}: paths are made absolute and not looked at.
 * @param to - makes a path of an input absolute; relative to the file when left out
 */
export function parseSettings(
  text: string,
  file: string,
  to: (path: string) => string = (path) => resolve(dirname(file), path),
): LoadedSettings {
  const { value, place } = checkYaml<Settings>(text, file, settingsSchema, 'settings');
  return { settings: absolute(value, to), file, place };
}

/** A YAML file that holds to its schema, with where things stand in it. */
export interface CheckedYaml<T> {
  /** Defaults are filled in. */
  readonly value: T;
  /** `file:line:col key` of a JSON pointer. */
  readonly place: (pointer: string) => string;
}

/**
 * Holds YAML against a schema, whose type the caller names.
 * @param root - what the whole is called in messages
 * @throws InputFault with every mistake, each with its line and column
 */
export function checkYaml<T>(text: string, file: string, schema: object, root: string): CheckedYaml<T> {
  if (text.includes('\0'))
    throw new InputFault({
      where: basename(file),
      what: 'is no text file',
      fix: `Name the file of ${root} here, which is YAML.`,
    });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const name = basename(file);
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  if (document.errors.length > 0)
    throw new InputFault(
      document.errors.map(({ pos, message }) => ({
        where: at(pos[0]),
        what: message,
        fix: 'Correct the YAML at this place.',
      })),
    );
  const place = (pointer: string): string => `${at(offsetOf(document, pointer))} ${dotted(pointer, root)}`;
  const value = toValue(document, name);
  const validate = new Ajv2020({
    allErrors: true,
    useDefaults: true,
    strict: false,
    strictNumbers: true, // YAML can say .nan and .inf: limits that judge nothing
    verbose: true,
  }).compile<T>(schema);
  if (!validate(value)) throw new InputFault(problemsOf(validate.errors ?? [], place, document, at));
  return { value, place };
}

function toValue(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 50 }) as unknown;
  } catch (cause) {
    throw new InputFault(
      {
        where: name,
        what: 'has aliases that expand without end',
        fix: 'Write the values out instead of `*alias`.',
      },
      { cause },
    );
  }
}

function absolute(settings: Settings, to: (path: string) => string): Settings {
  const { quantization, gate } = settings;
  return {
    ...settings,
    model: to(settings.model),
    validation: {
      ...settings.validation,
      ...(settings.validation.images !== undefined && { images: to(settings.validation.images) }),
      annotations: to(settings.validation.annotations),
    },
    calibration: {
      ...settings.calibration,
      images: to(settings.calibration.images),
      ...(settings.calibration.cache !== undefined && { cache: to(settings.calibration.cache) }),
    },
    cache: {
      ...settings.cache,
      ...(settings.cache.folder !== undefined && { folder: to(settings.cache.folder) }),
    },
    quantization: {
      ...quantization,
      ...(quantization.plan !== undefined && { plan: to(quantization.plan) }),
      ...(quantization.reference !== undefined && { reference: to(quantization.reference) }),
    },
    sensitivity: {
      ...settings.sensitivity,
      ...(settings.sensitivity.profile !== undefined && { profile: to(settings.sensitivity.profile) }),
    },
    gate: { ...gate, ...(gate.waivers !== undefined && { waivers: to(gate.waivers) }) },
  };
}

async function missingInputs(
  { settings, place }: LoadedSettings,
  { newPlan }: LoadOptions,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [pointer, kind] of INPUTS) {
    if (newPlan === true && pointer === '/quantization/plan') continue;
    const path = valueAt(settings, pointer);
    if (typeof path !== 'string') continue;
    const found = await stat(path).then(
      (info) => (info.isDirectory() ? 'folder' : 'file'),
      () => undefined,
    );
    if (found !== undefined && kind.includes(found)) continue;
    const what =
      found === undefined ? `there is no ${kind} ${path}` : `${path} is a ${found}, expected a ${kind}`;
    problems.push({ where: place(pointer), what, fix: 'Paths are relative to the settings file.' });
  }
  return problems;
}

function valueAt(value: unknown, pointer: string): unknown {
  return keysOf(pointer).reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    value,
  );
}

function keysOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function dotted(pointer: string, root = ''): string {
  return (
    keysOf(pointer).reduce(
      (path, key) => (/^\d+$/.test(key) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`),
      '',
    ) || root
  );
}

/** Where a value stands, or the nearest parent that the file has. */
function offsetOf(document: Document, pointer: string): number {
  for (const keys = keysOf(pointer); ; keys.pop()) {
    const node = keys.length === 0 ? document.contents : document.getIn(keys, true);
    const range = (node as { range?: [number, number, number] | null } | undefined | null)?.range;
    if (range !== undefined && range !== null) return range[0];
    if (keys.length === 0) return 0;
  }
}

/** Where a key itself stands. */
function keyOffset(document: Document, parent: string, key: string): number {
  const keys = keysOf(parent);
  const map = keys.length === 0 ? document.contents : document.getIn(keys, true);
  const pair = isMap(map) ? map.items.find((item) => isPair(item) && String(item.key) === key) : undefined;
  return (
    (pair?.key as { range?: [number, number, number] } | undefined)?.range?.[0] ?? offsetOf(document, parent)
  );
}

function problemsOf(
  errors: readonly ErrorObject[],
  place: (pointer: string) => string,
  document: Document,
  at: (offset: number) => string,
): Problem[] {
  // Of an `anyOf` the branch that the value was meant for speaks; the summary stays silent.
  const meant = errors.filter(
    ({ keyword, schemaPath }) =>
      keyword !== 'anyOf' && !/anyOf\/\d+\/required$/.test(schemaPath) && !otherBranch(errors, schemaPath),
  );
  const anyOf = errors.filter(
    (error) =>
      error.keyword === 'anyOf' &&
      !meant.some(({ instancePath }) => instancePath.startsWith(error.instancePath)),
  );
  const seen = new Set<string>();
  return [...meant, ...anyOf]
    .map((error) => ({ error, problem: problemOf(error, place, document, at) }))
    .filter(({ problem }) => !seen.has(problem.where) && seen.add(problem.where))
    .map(({ problem }) => problem)
    .sort((a, b) => lineOf(a.where) - lineOf(b.where));
}

function lineOf(where: string): number {
  return Number(/:(\d+):\d+/.exec(where)?.[1] ?? 0);
}

/** An error of a branch of `anyOf` that the value was not meant for, since it is of another kind altogether. */
function otherBranch(errors: readonly ErrorObject[], schemaPath: string): boolean {
  const branch = /^(.*\/anyOf)\/\d+/.exec(schemaPath);
  if (branch === null) return false;
  const base = errors.find((error) => error.schemaPath === branch[1])?.instancePath;
  return errors.some(
    (error) =>
      error.schemaPath.startsWith(`${branch[0]}/`) &&
      error.instancePath === base &&
      ['type', 'const', 'enum'].includes(error.keyword),
  );
}

function problemOf(
  error: ErrorObject,
  place: (pointer: string) => string,
  document: Document,
  at: (offset: number) => string,
): Problem {
  const { instancePath, keyword, params } = error;
  const where = place(instancePath);
  switch (keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
      const nearest = [...known].sort((a, b) => distance(a, key) - distance(b, key))[0];
      const guess =
        nearest !== undefined && distance(nearest, key) <= Math.max(2, key.length / 3)
          ? `did you mean "${nearest}"?`
          : `known are ${known.join(', ')}`;
      return {
        where: `${at(keyOffset(document, instancePath, key))} ${dotted(`${instancePath}/${key}`)}`,
        what: `unknown key, ${guess}`,
      };
    }
    case 'required':
      return {
        where: `${where.split(' ')[0] ?? where} ${dotted(`${instancePath}/${String(params['missingProperty'])}`)}`,
        what: `is missing: ${describe(error.parentSchema, String(params['missingProperty']))}`,
      };
    case 'minProperties':
      return { where, what: 'is empty: name at least one limit, for example `mAP50-95: { maxDrop: 0.01 }`' };
    default: {
      const keys = keyword === 'anyOf' ? alternatives(error.schema) : undefined;
      if (keys !== undefined) return { where, what: `limits nothing: give ${keys}` };
      return { where, what: `must be ${expected(error)}, is ${show(error.data)}` };
    }
  }
}

/** The keys of which an `anyOf` asks for one. */
function alternatives(branches: unknown): string | undefined {
  const keys = (branches as readonly { required?: readonly string[] }[]).flatMap(
    ({ required }) => required ?? [],
  );
  return keys.length === 0 ? undefined : keys.join(' or ');
}

function describe(schema: unknown, key: string): string {
  const property = (schema as { properties?: Record<string, { description?: string }> }).properties?.[key];
  return (property?.description ?? 'see the reference').replace(/\.$/, '');
}

function expected({ keyword, params, parentSchema }: ErrorObject): string {
  const schema = parentSchema as {
    type?: string;
    minimum?: number;
    maximum?: number;
    exclusiveMinimum?: number;
    exclusiveMaximum?: number;
    examples?: readonly string[];
    anyOf?: readonly { const?: unknown; enum?: readonly unknown[]; type?: string }[];
  };
  if (keyword === 'const') return show(params['allowedValue']);
  if (keyword === 'enum') return `one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
  if (keyword === 'anyOf')
    return (schema.anyOf ?? [])
      .map((one) =>
        one.const !== undefined
          ? show(one.const)
          : one.enum !== undefined
            ? one.enum.join(', ')
            : one.type === 'integer'
              ? 'a whole number'
              : one.type === 'array'
                ? 'a list'
                : 'a section of keys',
      )
      .join(' or ');
  if (keyword === 'pattern') return `a text like ${(schema.examples ?? []).map(String).join(' or ')}`;
  if (keyword === 'uniqueItems') return 'a list in which nothing stands twice';
  if (keyword === 'minLength') return 'a text that is not empty';
  if (keyword === 'minItems' || keyword === 'maxItems')
    return `a list of ${keyword === 'minItems' ? 'at least' : 'at most'} ${String(params['limit'])}`;
  const kind =
    {
      integer: 'a whole number',
      number: 'a number',
      string: 'a text',
      boolean: 'true or false',
      array: 'a list',
      object: 'a section of keys',
    }[schema.type ?? 'object'] ?? schema.type;
  if (schema.type === 'integer' && schema.minimum === 1 && schema.maximum === undefined)
    return 'a positive whole number';
  const bounds = [
    schema.minimum !== undefined && `at least ${schema.minimum}`,
    schema.exclusiveMinimum !== undefined && `above ${schema.exclusiveMinimum}`,
    schema.maximum !== undefined && `at most ${schema.maximum}`,
    schema.exclusiveMaximum !== undefined && `below ${schema.exclusiveMaximum}`,
  ].filter(Boolean);
  return [kind, ...(bounds.length > 0 ? [bounds.join(' and ')] : [])].join(' ');
}

function show(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'missing');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
