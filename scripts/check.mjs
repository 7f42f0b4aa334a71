// Static checks: types, lint, format, generated files, dist. Answers how many passed and failed.
import { spawnSync } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildAll } from './bundle.mjs';

const COMMANDS = [
  ['types', ['node_modules/typescript/bin/tsc', '--noEmit']],
  ['types of the page', ['node_modules/typescript/bin/tsc', '-p', 'src/report/html/browser']],
  ['lint', ['node_modules/eslint/bin/eslint.js', '.', '--max-warnings', '0']],
  ['format', ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.']],
  ['generated files', ['scripts/generate.mjs', '--check']],
];

/** Runs all checks, also after one failed. */
export async function check() {
  let [passed, failed] = [0, 0];
  const count = (name, ok) => {
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`);
    if (ok) passed++;
    else failed++;
  };
  for (const [name, args] of COMMANDS) {
    const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
    count(name, status === 0);
  }
  const stale = await staleBundle();
  if (stale.length > 0)
    console.log(
      `dist/ is not what src/ builds to (${stale.join(', ')}): run \`npm run build\` and commit it`,
    );
  count('dist', stale.length === 0);
  return { passed, failed };
}

async function staleBundle() {
  const fresh = 'build/check';
  await buildAll(fresh);
  const names = new Set([...(await readdir(fresh)), ...(await readdir('dist'))]);
  const same = await Promise.all(
    [...names].map(async (name) => {
      const [a, b] = await Promise.all(
        [fresh, 'dist'].map((folder) => readFile(join(folder, name)).catch(() => undefined)),
      );
      return a !== undefined && b !== undefined && a.equals(b);
    }),
  );
  return [...names].filter((_, i) => !same[i]);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = (await check()).failed === 0 ? 0 : 1;
