// npm test: installs what is missing, checks, tests, and ends with a line that counts them.
// With arguments, only jest runs, and they go to it: npm test -- test/gate
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';

ensureInstalled({ dev: true });
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const only = process.argv.slice(2);
const { check } = await import('./check.mjs');
const checks = only.length > 0 ? { passed: 0, failed: 0 } : await check();

const result = 'build/jest.json';
mkdirSync('build', { recursive: true });
rmSync(result, { force: true });
const jest = spawnSync(
  process.execPath,
  ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--json', `--outputFile=${result}`, ...only],
  { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_NO_WARNINGS: '1' } },
);
const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
  readFileSync(result, 'utf8'),
);
const failed = checks.failed + numFailedTests + numRuntimeErrorTestSuites;
console.log(`${checks.passed + numPassedTests} passed, ${failed} failed`);
process.exitCode = failed === 0 && jest.status === 0 ? 0 : 1;
