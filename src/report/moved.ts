import type { BaseSection, LayerChange, Report } from './types.js';

/**
 * Layers that the judged plan of the head keeps in another precision than the base's does, also where nothing was
 * ranked. Undefined where there are none, or where the base's report is of before plans were told.
 * @param changes - how layers were matched, for names that changed
 * @param names - all layers of the head
 */
export function movedLayers(
  base: Report,
  head: Report,
  changes: readonly LayerChange[],
  names: ReadonlySet<string>,
): BaseSection['moved'] {
  if (base.plan === undefined || head.plan === undefined) return undefined;
  const renamed = new Map(
    changes.flatMap(({ before, name }) => (before === undefined ? [] : [[before, name]])),
  );
  const before = new Set(floatIn(base.plan).map((name) => renamed.get(name) ?? name));
  const now = floatIn(head.plan);
  const kept = new Set(now);
  const toFloat = now.filter((name) => !before.has(name));
  const toInt8 = [...before].filter((name) => !kept.has(name) && names.has(name));
  return toFloat.length + toInt8.length === 0 ? undefined : { toFloat, toInt8 };
}

function floatIn({ layers }: NonNullable<Report['plan']>): readonly string[] {
  return layers.filter(({ precision }) => precision !== 'int8').map(({ name }) => name);
}
