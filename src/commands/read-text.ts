import { readFile } from 'node:fs/promises';
import { InputFault, messageOf } from '../faults/index.js';

/** Text of a file that the command line names. @throws InputFault with `fix` when it cannot be read. */
export async function readText(file: string, fix: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new InputFault({ where: file, what: `cannot be read: ${messageOf(cause)}`, fix }, { cause });
  }
}
