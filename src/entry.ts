/** The doors of the bundle: the action, the command and the engine's worker thread. */
export async function action(): Promise<void> {
  const { runAction } = await import('./index.js');
  await runAction();
}

export async function cli(): Promise<void> {
  const { runCli } = await import('./cli.js');
  process.exitCode = await runCli(process.argv);
}

export async function worker(): Promise<void> {
  const { serve } = await import('./engine/worker.js');
  serve();
}
