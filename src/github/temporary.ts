import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder that the runner empties after the job; `prefix` begins its name. */
export function temporaryFolder(prefix: string): Promise<string> {
  return mkdtemp(join(process.env.RUNNER_TEMP ?? tmpdir(), prefix));
}
