/** The doors of the bundle: the action, the command and the engine's worker thread. */
export async function action(): Promise<void> {
  const { prepareRunner, runAction } = await import('./index.js');
  // `node dist/index.js prepare`: what the image of a runner does when it is made.
  await (process.argv[2] === 'prepare' ? prepareRunner() : runAction());
}

export async function cli(): Promise<void> {
  const { runCli } = await import('./cli.js');
  process.exitCode = await runCli(process.argv);
}

export async function worker(): Promise<void> {
  const { serve } = await import('./engine/worker.js');
  serve();
}
