// npm run act: the example workflows in act, an interpreter of workflows by others, with GitHub and artifacts stood in for.
// Takes act from $ACT or the path; else builds it with Go, once (about 1.5 minutes of processor time), into build/.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ACT = 'github.com/nektos/act@v0.2.89';
process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const runs = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
const built = resolve('build/go/act');
const act = [process.env.ACT, 'act', built].find((one) => one !== undefined && runs(one)) ?? build();

const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    'node_modules/jest/bin/jest.js',
    '--testMatch',
    '**/*.act.ts',
    '--runInBand',
    '--testTimeout=600000',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { ...process.env, ACT: act, NODE_NO_WARNINGS: '1' } },
);
process.exitCode = status ?? 1;

function build() {
  const go = ['go', '/usr/local/go/bin/go'].find((one) => spawnSync(one, ['version']).status === 0);
  if (go === undefined) {
    console.error(`act is not here: install it, or Go to build it with, or name it in $ACT`);
    process.exit(2);
  }
  console.log(`Building ${ACT}`);
  const env = { ...process.env, GOBIN: resolve('build/go') };
  const { status } = spawnSync(go, ['install', ACT], { stdio: 'inherit', env });
  if (status !== 0 || !existsSync(built)) process.exit(status ?? 1);
  return built;
}
