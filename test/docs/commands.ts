import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Blocks of a Markdown file in one language, in order. */
export async function blocksOf(file: string, language: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(
    (match) => match[1] as string,
  );
}

/** A line of a shell block, and the status that it says it ends with: `# status 1`, 0 where it says nothing. */
export function commandsOf(blocks: readonly string[]): { readonly line: string; readonly status: number }[] {
  return blocks
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.trim() !== '')
    .map((line) => ({ line, status: Number(/# status (\d)$/.exec(line)?.[1] ?? 0) }));
}

/**
 * Runs commands one after another in one shell, as a reader would, and stops at the first that ends otherwise than it says.
 * `npx int8-gate` is the program of dist/.
 */
export async function runCommands(
  commands: readonly { readonly line: string; readonly status: number }[],
  folder: string,
): Promise<{ readonly status: number | null; readonly output: string }> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const npx = `#!/bin/sh\n[ "$1" = int8-gate ] || exit 64\nshift\nexec "${process.execPath}" "${join(process.cwd(), 'dist/cli.js')}" "$@"\n`;
  await writeFile(join(bin, 'npx'), npx);
  await chmod(join(bin, 'npx'), 0o755);
  const script = commands
    .map(
      ({ line, status }) =>
        `${line}\nended=$?; [ $ended = ${status} ] || { echo "status $ended of: ${line.replace(/["\`$\\]/g, '\\$&')}"; exit 99; }`,
    )
    .join('\n');
  const child = spawn('bash', ['-c', script], {
    cwd: folder,
    env: { PATH: `${bin}:${process.env.PATH ?? ''}`, HOME: folder, INT8_GATE: process.cwd() },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  const status = await new Promise<number | null>((done) => child.on('close', done));
  return { status, output };
}
