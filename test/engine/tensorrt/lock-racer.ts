// Takes a lock again and again and dies each time while holding it, as far as others can tell: LOCK DEAD-PID ROUNDS.
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lockGpu, type GpuLock } from '../../../src/engine/tensorrt/lock.js';

const [path = '', dead = '', rounds = ''] = process.argv.slice(2);
const folder = dirname(path);
const locks: GpuLock[] = [];
for (let round = 0; round < Number(rounds); round++) {
  locks.push(await lockGpu(path, { patienceMs: 60_000, pollMs: 1, onWait: () => undefined }));
  writeFileSync(join(folder, 'inside'), '', { flag: 'wx' }); // fails where two are inside
  appendFileSync(join(folder, 'held'), 'x');
  rmSync(join(folder, 'inside'));
  const line = readFileSync(path, 'utf8');
  if (!line.startsWith(`${process.pid} `)) throw new Error(`the lock names another: ${line}`);
  const corpse = join(folder, `corpse-${process.pid}`);
  writeFileSync(corpse, line.replace(/^\d+/, dead));
  renameSync(corpse, path);
}
