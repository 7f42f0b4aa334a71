/** Whether shards make a whole, and whether it is the whole of these settings, model and data. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputFault, type Problem } from '../faults/index.js';
import { SHARD_SUFFIX, type Shard } from './file.js';
import type { ShardHeader } from './schema.js';

/** What a shard was measured under, or must have been. */
export type Terms = Pick<ShardHeader, 'tool' | 'engine'> & {
  readonly digests: Omit<ShardHeader['digests'], 'int8'>;
};

/**
 * Files of shards: those named, and those in folders named or in folders of these, as artifacts are downloaded.
 * @throws InputFault when a path is not there, or holds none
 */
export async function findShards(paths: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(paths.map((path) => shardsAt(path)));
  return [...new Set(found.flat())].sort();
}

async function shardsAt(path: string): Promise<readonly string[]> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw noShard(path, 'there is no such file or folder');
  if (info.isFile()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  const inner = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => (await readdir(join(path, name))).map((file) => join(path, name, file))),
  );
  const files = [...entries.map(({ name }) => join(path, name)), ...inner.flat()];
  const shards = files.filter((file) => file.endsWith(SHARD_SUFFIX));
  if (shards.length === 0) throw noShard(path, `holds no file *${SHARD_SUFFIX}`);
  return shards;
}

function noShard(where: string, what: string): InputFault {
  return new InputFault({
    where,
    what,
    fix: 'Name the files that `int8-gate run --shard i/n` wrote, or the folder that they were gathered in.',
  });
}

/** The shards in their order. @throws InputFault when one is missing, doubled, or of another split. */
export function checkWhole(shards: readonly Shard[]): readonly Shard[] {
  const [first] = shards;
  if (first === undefined) throw noShard('merge', 'no shard was named');
  const { count } = first.header.shard;
  const problems: Problem[] = [];
  const byIndex = new Map<number, Shard>();
  for (const shard of shards) {
    const { index, count: own } = shard.header.shard;
    const before = byIndex.get(index);
    if (own !== count)
      problems.push({
        where: shard.file,
        what: `is one of ${own} shards, ${first.file} is one of ${count}`,
        fix: 'Merge the shards of one run.',
      });
    else if (index > own)
      problems.push({
        where: shard.file,
        what: `is shard ${index} of ${own}, which cannot be`,
        fix: 'Run the shards again.',
      });
    else if (before !== undefined)
      problems.push({
        where: shard.file,
        what: `is shard ${index} of ${count}, and so is ${before.file}`,
        fix: 'Name each shard once.',
      });
    else byIndex.set(index, shard);
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !byIndex.has(index));
  if (problems.length === 0 && missing.length > 0)
    problems.push({
      where: 'merge',
      what: `shard ${missing.join(', ')} of ${count} ${missing.length === 1 ? 'is' : 'are'} missing`,
      fix: 'All shards are needed: look whether their jobs ended well.',
    });
  if (problems.length > 0) throw new InputFault(problems);
  return [...byIndex].sort(([a], [b]) => a - b).map(([, shard]) => shard);
}

const WORDS: Readonly<Record<keyof Terms['digests'], readonly [what: string, fix: string]>> = {
  settings: ['other settings', 'Shards and merge take the same settings file and the same base ref.'],
  model: ['another model', 'Shards and merge take the same commit.'],
  validation: ['another validation set', 'Shards and merge take the same images and annotations.'],
  calibration: ['other calibration images', 'Shards and merge take the same images.'],
};

/** @throws InputFault naming each shard that was measured under other terms than these. */
export function checkSame(shards: readonly Shard[], here: Terms): void {
  const problems = shards.flatMap(({ file, header }): Problem[] => {
    const { tool, engine, digests } = header;
    if (tool.version !== here.tool.version || tool.program !== here.tool.program)
      return [
        {
          where: file,
          what: `was made by int8-gate ${nameOf(tool)}, this is ${nameOf(here.tool)}`,
          fix: 'Shards and merge take the same build.',
        },
      ];
    if (engine.name !== here.engine.name || engine.version !== here.engine.version)
      return [
        {
          where: file,
          what: `was measured by ${engine.name} ${engine.version}, here is ${here.engine.name} ${here.engine.version}`,
          fix: 'Shards and merge take the same engine.',
        },
      ];
    const other = (Object.keys(WORDS) as (keyof typeof WORDS)[]).find(
      (key) => digests[key] !== here.digests[key],
    );
    return other === undefined
      ? []
      : [{ where: file, what: `is of ${WORDS[other][0]}`, fix: WORDS[other][1] }];
  });
  if (problems.length > 0) throw new InputFault(problems);
}

/**
 * Shards that measured another model with Q/DQ than was calibrated here: every shard calibrates by itself, and kernels of
 * another processor differ in their last bits.
 * @param int8 - SHA-256 of the model with Q/DQ that was calibrated here
 * @throws InputFault where a shard of the same kind of machine has other scales: then something else differs
 */
export function otherScales(
  shards: readonly Shard[],
  { int8, machine }: { readonly int8: string; readonly machine: readonly string[] },
): readonly Shard[] {
  const others = shards.filter(({ header }) => header.digests.int8 !== int8);
  const wrong = others.filter(({ header }) => header.machine.join() === machine.join());
  if (wrong.length > 0)
    throw new InputFault(
      wrong.map(({ file }) => ({
        where: file,
        what: 'calibrated to other scales than this machine, which is of the same kind: the plan or a calibration cache differs',
        fix: 'Shards and merge take the same plan and the same calibration cache.',
      })),
    );
  return others;
}

function nameOf({ version, program }: ShardHeader['tool']): string {
  return program === null ? `${version} from source` : `${version} (${program.slice(0, 12)})`;
}
