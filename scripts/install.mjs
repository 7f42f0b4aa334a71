// Installs what is missing, pinned by package-lock.json. Install scripts stay off: CPU inference needs none of them.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

/** Installs node_modules unless every package is there at the version that package.json pins. */
export function ensureInstalled({ dev }) {
  const wanted = { ...manifest.dependencies, ...(dev ? manifest.devDependencies : {}) };
  const missing = Object.entries(wanted).filter(([name, version]) => installed(name) !== version);
  if (missing.length === 0) return;
  console.error(
    `Installing ${missing.length} packages (${missing
      .map(([name]) => name)
      .slice(0, 4)
      .join(', ')}${missing.length > 4 ? ', …' : ''})`,
  );
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    ...(dev ? [] : ['--omit=dev']),
  ];
  const { status, error } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (status === 0) return;
  console.error(
    `npm ci failed${error ? `: ${error.message}` : ''}. A package registry must be within reach.`,
  );
  process.exit(3);
}

function installed(name) {
  const path = new URL(`node_modules/${name}/package.json`, root);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).version : undefined;
}
