import { runCommand } from './commands/index.js';

/** The command: thin, so that everything behind it can be tested. */
export function runCli(argv: readonly string[]): Promise<number> {
  return runCommand(argv);
}
