// npm start: sets itself up, then runs the gate on the project's own detector.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './install.mjs';

ensureInstalled({ dev: false });
const root = fileURLToPath(new URL('..', import.meta.url));
const args = ['dist/cli.js', 'run', '--config', 'fixtures/signs/int8-gate.yml', ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 130;
