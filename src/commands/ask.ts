/** Questions to whoever sits at the terminal. */
import { createInterface } from 'node:readline';
import { Interrupted } from '../faults/index.js';
import { terminalText } from '../report/index.js';

export interface Ask {
  /** One of the options, asked until it is one. */
  choose(question: string, options: readonly string[]): Promise<string>;
  /** A number between 0 and 1, or the fallback for an empty answer. */
  fraction(question: string, fallback: number): Promise<number>;
}

/** Asks on `output` and reads lines of `input`; a closed input counts as empty answers. */
export function createAsk(input: NodeJS.ReadableStream, output: NodeJS.WritableStream): Ask {
  const answer = (question: string): Promise<string> =>
    new Promise((done, fail) => {
      const lines = createInterface({ input, output });
      lines.once('close', () => done(''));
      lines.once('SIGINT', () => {
        fail(new Interrupted());
        lines.close();
      });
      lines.question(question, (said) => {
        done(said.trim());
        lines.close();
      });
    });
  return {
    async choose(question, options) {
      const list = options.map((one, i) => `  ${i + 1}  ${terminalText(one)}\n`).join('');
      output.write(`${question}\n${list}`);
      for (;;) {
        const said = await answer(`1–${options.length} [1]: `);
        const chosen =
          said === '' ? options[0] : (options[Number(said) - 1] ?? options.find((one) => one === said));
        if (chosen !== undefined) return chosen;
      }
    },
    async fraction(question, fallback) {
      for (;;) {
        const said = await answer(`${question} [${fallback}]: `);
        if (said === '') return fallback;
        const value = Number(said);
        if (value > 0 && value < 1) return value;
        output.write('A number between 0 and 1, as 0.02 for two points.\n');
      }
    },
  };
}
