import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { InputFault, type Problem } from '../faults/index.js';
import type { LoadedSettings, Settings } from '../settings/index.js';

/** The settings that name files or folders to read. */
const READS: readonly (readonly [pointer: string, of: (settings: Settings) => string | undefined])[] = [
  ['/model', ({ model }) => model],
  ['/validation/images', ({ validation }) => validation.images],
  ['/validation/annotations', ({ validation }) => validation.annotations],
  ['/calibration/images', ({ calibration }) => calibration.images],
  ['/calibration/cache', ({ calibration }) => calibration.cache],
  ['/quantization/plan', ({ quantization }) => quantization.plan],
  ['/quantization/reference', ({ quantization }) => quantization.reference],
];

/**
 * Holds settings, which a pull request can change, to the workspace and the folders that the workflow names besides:
 * links are followed first, and no program of the repository is taken for Python or trtexec.
 * @throws InputFault with every setting that leads elsewhere
 */
export async function confine(
  { settings, place }: LoadedSettings,
  workspace: string,
  folders: readonly string[],
): Promise<void> {
  const roots = await Promise.all([workspace, ...folders].map(real));
  const problems: Problem[] = [];
  for (const [pointer, of] of READS) {
    const path = of(settings);
    if (path === undefined) continue;
    const found = await real(path);
    if (roots.some((root) => within(root, found))) continue;
    problems.push({
      where: place(pointer),
      what: `${path} lies outside the workspace`,
      fix: 'Keep it in the repository, or name its folder in the input `data-folders` of the workflow.',
    });
  }
  for (const key of ['python', 'trtexec'] as const) {
    const program = settings.engine.tensorrt[key];
    if (/[\\/]/.test(program) && within(workspace, resolve(workspace, program)))
      problems.push({
        where: place(`/engine/tensorrt/${key}`),
        what: 'names a program inside the repository, which a pull request could bring along',
        fix: `Name the one of the runner, e.g. \`${key === 'python' ? 'python3' : key}\`, or its absolute path outside the workspace.`,
      });
  }
  if (problems.length > 0) throw new InputFault(problems);
}

/** Where a path leads; a path that leads nowhere stays as it is. */
async function real(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function within(root: string, path: string): boolean {
  const away = relative(root, path);
  return away !== '..' && !away.startsWith(`..${sep}`) && !isAbsolute(away);
}
