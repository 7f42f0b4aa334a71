/** The two workflows that `init` writes beside the settings. */
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** Files below the repository's root, by path. */
export const WORKFLOWS = [
  '.github/workflows/int8-gate.yml',
  '.github/workflows/int8-gate-nightly.yml',
] as const;

/** The folder that holds `.git`, from `folder` upwards; undefined outside a repository. */
export async function repositoryOf(folder: string): Promise<string | undefined> {
  if (await exists(join(folder, '.git'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : repositoryOf(parent);
}

/**
 * Writes both workflows, those that are there already only with `force`; answers a line for each.
 * @param root - the repository's root
 * @param config - the settings file
 */
export async function writeWorkflows(root: string, config: string, force: boolean): Promise<string[]> {
  const below = relative(root, resolve(config)).split(sep).join('/');
  const lfs = /filter=lfs/.test(await readFile(join(root, '.gitattributes'), 'utf8').catch(() => ''));
  const texts = [pullRequest(below, lfs), nightly(below, lfs)];
  const lines: string[] = [];
  for (const [i, path] of WORKFLOWS.entries()) {
    const file = join(root, path);
    if (!force && (await exists(file))) {
      lines.push(`Kept ${path}, which was there`);
      continue;
    }
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, texts[i] as string);
    lines.push(`Wrote ${path}`);
  }
  return lines;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function pullRequest(config: string, lfs: boolean): string {
  return `# Judges each pull request. No \`paths\` here: a required check that does not run would wait for ever.
# To block merging, make "INT8 gate / int8" a required check of the branch.
name: INT8 gate
on: pull_request
permissions:
  contents: read
  actions: read # which run saved what is in the cache
  pull-requests: write # the comment; forks have no such token, see docs/workflows of int8-gate
  checks: write # the check run with annotations
concurrency:
  group: int8-gate-\${{ github.ref }}
  cancel-in-progress: true
${job(config, lfs, 14, PULL_REQUEST)}`;
}

function nightly(config: string, lfs: boolean): string {
  return `# Judges the default branch every night: what moved without a pull request, as images outside of git or the runner. What
# it measures is kept in the cache, as the base of the pull requests of the next day and as the history of mAP.
name: INT8 gate, nightly
on:
  schedule:
    - cron: '17 3 * * *'
  workflow_dispatch:
permissions:
  contents: read
  issues: write # one issue while the audit of the calibration images fails
${job(config, lfs, 90, nightParts(config))}`;
}

/** What a workflow's job has beside the common steps. */
interface Parts {
  readonly checkout: string;
  readonly before: string;
  readonly inputs: string;
}

/** The base judges and is measured where the night did not, so its commit must be there, large files too. */
const PULL_REQUEST: Parts = { checkout: '\n          fetch-depth: 0', before: '', inputs: '' };

function nightParts(config: string): Parts {
  return {
    checkout: '',
    before: `
      - uses: int8-gate/int8-gate@v0
        with:
          mode: audit
          config: ${JSON.stringify(config)}
          report-folder: int8-gate-audit
      - uses: actions/upload-artifact@v4
        if: always() # audit.html: the images to look at
        with:
          name: int8-gate-audit
          path: int8-gate-audit
          if-no-files-found: ignore
          retention-days: 90`,
    inputs: "\n          check: 'false'",
  };
}

function job(config: string, lfs: boolean, days: number, { checkout, before, inputs }: Parts): string {
  return `jobs:
  int8:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
        with:
          persist-credentials: false${checkout}${lfs ? '\n          lfs: true' : ''}${before}
      - uses: int8-gate/int8-gate@v0${before === '' ? '' : '\n        if: always()'}
        id: gate
        with:
          config: ${JSON.stringify(config)}${inputs}
      - uses: actions/upload-artifact@v4
        if: always() && steps.gate.outputs.report-path != ''
        with:
          name: int8-gate-report
          path: \${{ steps.gate.outputs.report-path }}
          retention-days: ${days}
`;
}
