import type { Category } from '../dataset/index.js';
import { InputFault } from '../faults/index.js';
import type { Decoder, DecoderOverride, ModelView } from './types.js';
import { classNamesOf } from './view.js';

/**
 * Index of the category for each class index of the model, -1 where the annotations lack the class.
 * By name where the model (or the settings) names its classes, else by order when the counts agree.
 * @throws InputFault naming categories that the model does not know.
 */
export function mapClasses(
  decoder: Decoder,
  view: ModelView,
  categories: readonly Category[],
  override: DecoderOverride = 'auto',
): Int32Array {
  const declared = override === 'auto' ? undefined : override.classes;
  const names = declared ?? classNamesOf(view);
  if (names !== undefined) {
    const index = new Map(categories.map(({ name }, i) => [plain(name), i]));
    const known = new Set(names.map(plain));
    const unknown = categories.filter(({ name }) => !known.has(plain(name)));
    if (unknown.length === 0) return Int32Array.from(names, (name) => index.get(plain(name)) ?? -1);
    throw new InputFault({
      where: 'categories of the annotations',
      what: `the model has no class called ${quote(unknown.map(({ name }) => name))}; it knows ${quote(names)}`,
      fix: 'Name the classes in the order of the model as `decoder: { classes: […] }`, or use annotations of the classes that it was trained on.',
    });
  }
  if (decoder.classCount === undefined || decoder.classCount === categories.length)
    return Int32Array.from(categories, (_, i) => i);
  throw new InputFault({
    where: 'categories of the annotations',
    what: `there are ${categories.length}, the model has ${decoder.classCount} classes and does not name them`,
    fix: 'Name the classes in the order of the model as `decoder: { classes: […] }`.',
  });
}

function plain(name: string): string {
  return name.trim().toLowerCase();
}

function quote(names: readonly string[]): string {
  const shown = names
    .slice(0, 12)
    .map((name) => `"${name}"`)
    .join(', ');
  return names.length > 12 ? `${shown} and ${names.length - 12} more` : shown;
}
