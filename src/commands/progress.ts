import { terminalText } from '../report/index.js';
import type { Progress } from '../pipeline/index.js';

/** What progress is written to. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** A bar on a terminal, a line at every quarter elsewhere, foldable groups on GitHub Actions. */
export function createProgress(stream: ProgressStream, environment: NodeJS.ProcessEnv): Progress {
  if (environment.GITHUB_ACTIONS === 'true') return grouped(stream);
  return stream.isTTY === true ? bar(stream) : lines(stream);
}

function bar(stream: ProgressStream): Progress {
  let title = '';
  let shown = '';
  const clear = (): void => void (shown !== '' && stream.write(`\r${' '.repeat(shown.length)}\r`));
  const paint = (text: string): void => {
    clear();
    shown = text.slice(0, (stream.columns ?? 80) - 1);
    stream.write(shown);
  };
  return {
    phase(next) {
      title = terminalText(next);
      paint(title);
    },
    update(done, total) {
      const filled = Math.round((20 * done) / total);
      paint(`${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${done}/${total} ${title}`);
    },
    end() {
      clear();
      shown = '';
    },
  };
}

function lines(stream: ProgressStream): Progress {
  let quarter = 0;
  return {
    phase(title) {
      quarter = 0;
      stream.write(`${terminalText(title)}\n`);
    },
    update(done, total) {
      const now = Math.floor((4 * done) / total);
      if (now === quarter || now === 4) return;
      quarter = now;
      stream.write(`  ${now * 25} %\n`);
    },
    end() {
      quarter = 0;
    },
  };
}

function grouped(stream: ProgressStream): Progress {
  const inner = lines(stream);
  let open = false;
  const close = (): void => {
    inner.end();
    if (open) stream.write('::endgroup::\n');
    open = false;
  };
  return {
    phase(title) {
      close();
      stream.write(`::group::${terminalText(title)}\n`);
      open = true;
    },
    update: (done, total) => inner.update(done, total),
    end: close,
  };
}
