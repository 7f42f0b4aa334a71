import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkReportFolder,
  formatMarkdown,
  formatTerminal,
  markdownSentence,
  markdownText,
  reportSchema,
  terminalText,
  writeReport,
  type Report,
} from '../../src/report/index.js';

const sample = JSON.parse(readFileSync('test/report/golden/report.json', 'utf8')) as Report;

/** Compares with a committed text; `UPDATE_GOLDEN=1` writes it anew, to be read before it is committed. */
function expectGolden(name: string, text: string): void {
  const path = `test/report/golden/${name}`;
  if (process.env.UPDATE_GOLDEN !== undefined || !existsSync(path)) writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
}

test('the sample is a report by its schema', () => {
  const validate = new Ajv2020({ strict: false }).compile(reportSchema);
  expect(validate(sample) ? [] : validate.errors).toEqual([]);
});

describe('texts', () => {
  test('Markdown', () => expectGolden('report.md', formatMarkdown(sample, { maxBytes: 60_000 })));
  test('terminal, 80 columns', () => {
    const text = formatTerminal(sample, { color: false, width: 80 });
    expectGolden('terminal.txt', `${text}\n`);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
  test('colour only paints: headings, the word of each check, and the verdict', () => {
    const plain = formatTerminal(sample, { color: false, width: 80 });
    const painted = formatTerminal(sample, { color: true, width: 80 });

    expect(painted.replace(/\u001b\[\d+m/g, '')).toBe(plain);
    expectGolden('terminal-color.txt', `${painted.replaceAll('\u001b', '␛')}\n`);
  });

  test.each([20, 40, 80, 120])('at %p columns no sentence is wider', (width) => {
    const why = 'The engine cannot be judged: '.repeat(6).trim();
    const report = { ...sample, verdict: { ...sample.verdict, kind: 'inconclusive' as const, why } };
    const lines = formatTerminal(report, { color: false, width }).split('\n');
    const sentences = lines.slice(lines.findIndex((line) => line.startsWith('Causes')));
    for (const line of sentences)
      if (/ .* /.test(line.trim())) expect(line.length).toBeLessThanOrEqual(Math.max(width, 34));
  });

  test('what of the validation data was left aside is said, never silently', () => {
    const skipped = [{ what: 'objects marked difficult, ignored', count: 12 }];
    const validation = { ...sample.data.validation, skipped };
    const report = { ...sample, data: { ...sample.data, validation } };
    expect(formatMarkdown(report, { maxBytes: 60_000 })).toContain(
      'Validation data: 12 objects marked difficult, ignored.',
    );
    expect(formatTerminal(report, { color: false, width: 80 })).toContain(
      'Validation data\n- 12 objects marked difficult, ignored',
    );
  });

  test.each([3000, 5000, 20_000])(
    'Markdown of 2000 layers keeps below %p bytes, whole rows, the verdict first',
    (maxBytes) => {
      const layer = sample.sensitivity!.layers[0]!;
      const layers = Array.from({ length: 2000 }, (_, i) => ({
        ...layer,
        rank: i + 1,
        name: `/model.${i}/conv`,
      }));
      const text = formatMarkdown({ ...sample, sensitivity: { images: 32, layers } }, { maxBytes });
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
      expect(text).toMatch(/^## . int8-gate: /);
      const shown = [...text.matchAll(/^\| +\d+ \|/gm)].length;
      expect(text).toContain(
        shown === 0 ? '2000 layers in report.json' : `${2000 - shown} more in report.json`,
      );
    },
  );
});

describe('names are hostile', () => {
  const nasty = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '|',
          '`',
          '<script>',
          '@everyone',
          '::error::',
          '\n',
          '\r',
          '\u001b[2J',
          '](javascript:x)',
          '![](http://x)',
          '&lt;',
          '\\',
          '#1',
          '\u202e',
          '*',
          '_',
          '~~',
          'https://x.y',
        ),
        fc.string(),
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''));

  test('in Markdown they are no cell, tag, mention, link or command', () => {
    fc.assert(
      fc.property(nasty, (name) => {
        const text = markdownText(name);
        expect(text).not.toMatch(/[|`<>@[\]()*_~\\!\n\r]|#(?!\d+;)/);
        expect(text).not.toMatch(/https?:/);
      }),
      { numRuns: 10_000 },
    );
  });

  test('in a sentence of ours they are no tag, mention, link or image', () => {
    fc.assert(
      fc.property(nasty, (name) =>
        expect(markdownSentence(`${name} joins`)).not.toMatch(/[|`<>@[\]\n\r]|https?:/),
      ),
      { numRuns: 10_000 },
    );
  });

  test('on a terminal they move nothing and command nothing', () => {
    fc.assert(
      fc.property(nasty, (name) =>
        expect(terminalText(name)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]|^\s*::|##\[/),
      ),
      { numRuns: 10_000 },
    );
  });
});

describe('writing', () => {
  const withFolder = async (job: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'int8-gate-report-'));
    try {
      await job(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  test('replaces an older report whole and leaves nothing else', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'report');
      await checkReportFolder(out);
      await writeReport(sample, out, { 'old.onnx': 'x' });
      await checkReportFolder(out);
      await writeReport(sample, out, { 'plan.json': '{}' });
      expect((await readdir(out)).sort()).toEqual(['plan.json', 'report.html', 'report.json', 'report.md']);
      expect(await readdir(folder)).toEqual(['report']);
      expect(JSON.parse(await readFile(join(out, 'report.json'), 'utf8'))).toEqual(sample);
    }));

  test('does not touch a folder that is not ours', () =>
    withFolder(async (folder) => {
      await mkdir(join(folder, 'photos'));
      await writeFile(join(folder, 'photos', 'cat.jpg'), '');
      await expect(checkReportFolder(join(folder, 'photos'))).rejects.toThrow(
        /holds files that are not a report/,
      );
    }));
});
