import { FakeGitHub } from './fake-github.js';
import { NEW } from './runner.js';

/** A GitHub with one open pull request, number 7, at the new commit; the caller stops it. */
export async function openPullRequest(
  from = 'octo:feature',
): Promise<{ readonly github: FakeGitHub; readonly api: string }> {
  const github = new FakeGitHub();
  github.pulls.set(7, { number: 7, head: NEW, from, open: true });
  return { github, api: await github.start() };
}
