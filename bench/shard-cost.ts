/**
 * What a run costs by images and shards: `node bench/run.mjs shard-cost [IMAGES,…] [SHARDS,…]`, by default 50, 200 and
 * 800 images, whole and in 2 and 8 shards. Signs scenes are drawn anew. INT8 is judged by itself: the
 * ranking has its own subset, and what the search for a plan costs depends on what it finds. Processor time (user and system,
 * all threads) and peak memory are each process's own account. Then a straight line is fitted through the counts and
 * carried on to COCO's 5,000 images. Builds nothing: dist/ must be there. JSON lines of all processes go to
 * build/bench/shard-cost.jsonl.
 */
import { spawnSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const GOAL = 5000;
const LOG = 'build/bench/shard-cost.jsonl';

/** A process's own account, written as it ends; worker threads load this too, and are in the account. */
const ACCOUNT = `data:text/javascript,${encodeURIComponent(
  `import { isMainThread } from 'node:worker_threads'; import { writeFileSync } from 'node:fs';
   if (isMainThread) process.on('exit', () => { const u = process.resourceUsage();
     writeFileSync(process.env.ACCOUNT, JSON.stringify({ cpu: (u.userCPUTime + u.systemCPUTime) / 1e6, mib: u.maxRSS / 1024 })); });`,
)}`;

/** Seconds of processor time, peak resident MiB. */
interface Account {
  readonly cpu: number;
  readonly mib: number;
}

async function accountOf(folder: string, args: readonly string[]): Promise<Account> {
  const file = join(folder, 'account.json');
  const env = { ...process.env, NODE_OPTIONS: `--import=${ACCOUNT}`, ACCOUNT: file };
  const { status, stderr } = spawnSync(process.execPath, [resolve('dist/cli.js'), ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env,
  });
  if (status === null || status > 1) throw new Error(`${args.join(' ')}: ${stderr}`);
  const account = JSON.parse(await readFile(file, 'utf8')) as Account;
  await appendFile(LOG, `${JSON.stringify({ args: args.slice(0, 5), ...account })}\n`);
  return account;
}

/** A project of signs with so many validation images. */
async function draw(folder: string, images: number): Promise<string> {
  const { status, stderr } = spawnSync(
    process.execPath,
    [resolve('scripts/make-signs.mjs'), '--out', folder, '--val', String(images)],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  const signs = resolve('fixtures/signs');
  const settings = (await readFile(join(signs, 'int8-gate.yml'), 'utf8'))
    .replace('models/', `${signs}/models/`)
    .replace('images: calib', `images: ${signs}/calib`)
    .replace('candidate: mixed', 'candidate: int8')
    .replace(/^sensitivity:\n.*\n/m, 'sensitivity: { enabled: false }\n');
  const file = join(folder, 'int8-gate.yml');
  await writeFile(file, `${settings}cache: { enabled: false }\n`);
  return file;
}

/** Shards differ by one image at most, so one of each split is measured; merge reads the same records however many files. */
async function costsOf(
  folder: string,
  settings: string,
  images: number,
  counts: readonly number[],
): Promise<Map<string, Account>> {
  const out = (name: string): string => join(folder, 'out', name);
  const costs = new Map([
    ['whole run', await accountOf(folder, ['run', '-c', settings, '-o', out('whole')])],
  ]);
  const shard = (i: number, n: number): Promise<Account> =>
    accountOf(folder, ['run', '-c', settings, '--shard', `${i}/${n}`, '-o', out(`${n}/${i}`)]);
  for (const count of counts) costs.set(`one of ${count} shards`, await shard(1, count));
  const [merged = 2] = counts;
  for (let i = 2; i <= merged; i++) await shard(i, merged);
  costs.set(
    'merge',
    await accountOf(folder, ['merge', '-c', settings, out(String(merged)), '-o', out('all')]),
  );
  for (const [name, { cpu, mib }] of costs)
    console.log(`| ${images} | ${name} | ${cpu.toFixed(1)} s | ${mib.toFixed(0)} MiB |`);
  return costs;
}

/** Least squares. @returns the value at 0, what an image adds, and the worst of the points' distances from the line */
function line(points: readonly (readonly [number, number])[]): {
  readonly at0: number;
  readonly slope: number;
  readonly worst: number;
} {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([one]) => one), mean(([, one]) => one)];
  const slope =
    points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) /
    points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  const at0 = y - slope * x;
  return { at0, slope, worst: Math.max(...points.map(([a, b]) => Math.abs(b - at0 - slope * a))) };
}

function fitted(costs: ReadonlyMap<number, ReadonlyMap<string, Account>>): void {
  console.log(`\n| process | what | at 0 images | each 1000 | farthest point | at ${GOAL} |`);
  const names = [...([...costs.values()][0]?.keys() ?? [])];
  for (const name of names)
    for (const [what, of] of [
      ['s', ({ cpu }: Account) => cpu],
      ['MiB', ({ mib }: Account) => mib],
    ] as const) {
      const points = [...costs].map(([images, each]) => [images, of(each.get(name) as Account)] as const);
      const { at0, slope, worst } = line(points);
      console.log(
        `| ${name} | ${what} | ${at0.toFixed(1)} | ${(1000 * slope).toFixed(1)} | ${worst.toFixed(1)} | ${(at0 + slope * GOAL).toFixed(0)} |`,
      );
    }
}

const [sizes = '50,200,800', counts = '2,8'] = process.argv.slice(2);
await mkdir('build/bench', { recursive: true });
const costs = new Map<number, Map<string, Account>>();
console.log('| images | process | processor time | peak memory |');
for (const images of sizes.split(',').map(Number)) {
  const folder = await mkdtemp(join(tmpdir(), 'bench-shard-cost-'));
  try {
    const settings = await draw(folder, images);
    costs.set(images, await costsOf(folder, settings, images, counts.split(',').map(Number)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
fitted(costs);
