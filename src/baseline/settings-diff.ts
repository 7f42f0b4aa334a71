import { dirname, isAbsolute, relative } from 'node:path';
import type { SettingsChange } from '../report/index.js';
import type { LoadedSettings } from '../settings/index.js';

/** Sections in which the base's word counts. */
const BY_BASE: ReadonlySet<string> = new Set(['gate']);

/**
 * Settings that differ, by key in alphabetical order; defaults are filled in on both sides, so that a key which is
 * taken out shows what counts instead. Paths are shown relative to the settings file.
 */
export function diffSettings(base: LoadedSettings, head: LoadedSettings): readonly SettingsChange[] {
  const [before, now] = [leavesOf(base), leavesOf(head)];
  return [...new Set([...before.keys(), ...now.keys()])].sort().flatMap((path): SettingsChange[] => {
    const [a, b] = [before.get(path) ?? null, now.get(path) ?? null];
    const section = path.split('.')[0] as string;
    return a === b ? [] : [{ path, base: a, head: b, judgedBy: BY_BASE.has(section) ? 'base' : 'head' }];
  });
}

function leavesOf({ settings, file }: LoadedSettings): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const visit = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, one] of Object.entries(value)) visit(one, path === '' ? key : `${path}.${key}`);
    } else if (value !== undefined) {
      const shown = typeof value === 'string' && isAbsolute(value) ? relative(dirname(file), value) : value;
      leaves.set(path, JSON.stringify(shown));
    }
  };
  visit(settings, '');
  return leaves;
}
