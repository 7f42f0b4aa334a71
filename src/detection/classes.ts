import { COCO_CLASSES, plainName, type Category } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import type { Decoder, DecoderOverride, ModelView } from './types.js';
import { classNamesOf } from './view.js';

/** How classes of the model and categories of the annotations belong together. */
export interface ClassMap {
  /** Index of the category for each class index of the model, -1 where the annotations lack the class. */
  readonly index: Int32Array;
  /** What was done, as a sentence for the report. */
  readonly how: string;
}

/**
 * Finds the category of each class: by name where the model (or the settings) names its classes; as COCO numbers them
 * where the model has 80 or 91 outputs without names and all categories are called as in COCO; else by order when the
 * counts agree.
 * @param boxes - boxes by category; one without any need not be known to the model
 * @throws InputFault naming categories that the model does not know
 */
export function mapClasses(
  decoder: Decoder,
  view: ModelView,
  categories: readonly Category[],
  override: DecoderOverride = 'auto',
  boxes?: ArrayLike<number>,
): ClassMap {
  const declared = override === 'auto' ? undefined : override.classes;
  const shift = decoder.labels === 'one-based' ? 1 : 0;
  const given = declared ?? classNamesOf(view);
  // A name for the background stands where the model's class 0 is; other names begin with its class 1.
  const background =
    given !== undefined && /^(__background__|background|n\/a)$/i.test(given[0]?.trim() ?? '');
  const names = given !== undefined && shift === 1 && !background ? ['__background__', ...given] : given;
  if (names !== undefined)
    return byName(names, categories, boxes, declared === undefined ? 'the model' : 'the settings');
  const count = decoder.classCount ?? (shift === 1 ? 91 : undefined);
  const coco = asCoco(count, categories);
  if (coco !== undefined) return coco;
  if (shift === 1)
    return {
      index: Int32Array.from([-1, ...categories.keys()]),
      how: 'classes are matched by order, from 1 on: the model does not name them, 0 is the background',
    };
  if (decoder.labels === 'category-ids' && count !== undefined && count !== categories.length) {
    const byId = asIds(count, categories);
    if (byId !== undefined) return byId;
  }
  if (count === undefined || count === categories.length)
    return {
      index: Int32Array.from(categories, (_, i) => i),
      how: 'classes are matched by order: the model does not name them',
    };
  throw new InputFault({
    where: 'categories of the annotations',
    what: `there are ${categories.length}, the model has ${count === 1 ? 'one class and does not name it' : `${count} classes and does not name them`}`,
    fix: 'Name the classes in the order of the model as `decoder: { classes: […] }`.',
  });
}

function byName(
  names: readonly string[],
  categories: readonly Category[],
  boxes: ArrayLike<number> | undefined,
  source: string,
): ClassMap {
  const match = matcher(names, categories);
  const ofModel = new Set(names.map(match));
  const missing = categories.filter(({ name }) => !ofModel.has(match(name)));
  const unknown = missing.filter((category) => boxes?.[categories.indexOf(category)] !== 0);
  if (unknown.length > 0)
    throw new InputFault({
      where: 'categories of the annotations',
      what: `the model has no class called ${quote(unknown.map(({ name }) => name))}; it knows ${quote(names)}`,
      fix: 'Name the classes in the order of the model as `decoder: { classes: […] }`, or use annotations of the classes that it was trained on.',
    });
  const known = new Map(categories.map(({ name }, i) => [match(name), i]));
  const places = names.map((name) => known.get(match(name)) ?? -1);
  const start = `classes are matched by the names of ${source}`;
  return { index: Int32Array.from(places), how: describe(start, names, places, categories, missing) };
}

/** Compares plain names, unless two of one side become the same by it; then to the letter, but for case. */
function matcher(names: readonly string[], categories: readonly Category[]): (name: string) => string {
  const distinct = (all: readonly string[]): boolean =>
    new Set(all.map(plainName)).size === new Set(all).size;
  return distinct(names) && distinct(categories.map(({ name }) => name))
    ? plainName
    : (name) => name.trim().toLowerCase();
}

/** Classes are the ids of the categories, where all of them are below `count`. */
function asIds(count: number, categories: readonly Category[]): ClassMap | undefined {
  if (!categories.every(({ id }) => Number.isInteger(id) && id >= 0 && id < count)) return undefined;
  const index = new Int32Array(count).fill(-1);
  categories.forEach(({ id }, i) => (index[id] = i));
  return { index, how: 'the model’s classes are taken as the ids of the categories' };
}

/** 80 outputs are the classes of COCO in order, 91 are its category ids. */
function asCoco(count: number | undefined, categories: readonly Category[]): ClassMap | undefined {
  if (count !== 80 && count !== 91) return undefined;
  const known = new Map(categories.map(({ name }, i) => [plainName(name), i]));
  const places = COCO_CLASSES.map(({ name }) => known.get(plainName(name)) ?? -1);
  if (categories.length === 0 || places.filter((place) => place >= 0).length !== categories.length)
    return undefined;
  const index = new Int32Array(count).fill(-1);
  COCO_CLASSES.forEach(({ id }, i) => (index[count === 80 ? i : id] = places[i] as number));
  const numbered = count === 80 ? 'in the order of COCO’s 80 classes' : 'by COCO’s category ids, 0…90';
  const names = COCO_CLASSES.map(({ name }) => name);
  const start = `the model’s ${count} classes are taken ${numbered}`;
  return { index, how: describe(start, names, places, categories, []) };
}

/** @param places - index of the category of each of `names`, -1 without one */
function describe(
  start: string,
  names: readonly string[],
  places: readonly number[],
  categories: readonly Category[],
  missing: readonly Category[],
): string {
  const renamed = names.flatMap((name, i) => {
    const category = categories[places[i] as number]?.name.trim();
    return category === undefined || category.toLowerCase() === name.trim().toLowerCase()
      ? []
      : [`${category} as ${name}`];
  });
  const absent = places.filter((place) => place < 0).length;
  return [
    start,
    ...(renamed.length > 0 ? [`read ${list(renamed)}`] : []),
    ...(absent > 0 ? [`${absent} of the model’s ${names.length} do not occur in the annotations`] : []),
    ...(missing.length > 0
      ? [`categories without boxes left out: ${quote(missing.map(({ name }) => name))}`]
      : []),
  ].join('; ');
}

function list(items: readonly string[]): string {
  return items.length > 12
    ? `${items.slice(0, 12).join(', ')} and ${items.length - 12} more`
    : items.join(', ');
}

function quote(names: readonly string[]): string {
  return list(names.map((name) => `"${name}"`));
}
