import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'puppeteer-core';
import {
  contactSheet,
  formatAuditHtml,
  formatHtml,
  reportSchema,
  type Report,
} from '../../src/report/index.js';
import { openChromium } from './chromium.js';
import { fullReport, sample } from './full-report.js';

const HOSTILE = `</script><img src=x onerror="window.hacked=1"><svg onload=window.hacked=1>"'\`\${hacked}javascript:window.hacked=1`;

describe('the text of the page', () => {
  test('the full report of these tests is a report by its schema', () => {
    const validate = new Ajv2020({ strict: false }).compile(reportSchema);
    const json: unknown = JSON.parse(JSON.stringify(fullReport()));
    expect(validate(json) ? [] : validate.errors).toEqual([]);
  });

  test('a report without any optional section is a page too', () => {
    const { sensitivity, search, ...plain } = sample;
    expect([sensitivity, search]).not.toContain(undefined);
    const text = formatHtml(plain);
    expect(text).toContain('<h1>');
    expect(text).not.toContain('undefined');
  });

  test('500 layers stay below 2 MB', () => {
    expect(Buffer.byteLength(formatHtml(fullReport({ layers: 500 })))).toBeLessThan(2e6);
  });

  test('nothing is fetched: no address but of the page itself', () => {
    const text = formatHtml(fullReport());
    expect([...text.matchAll(/(?:src|href)="(?!#|data:)[^"]*"/g)]).toEqual([]);
    expect(text).not.toMatch(/https?:\/\//);
  });

  test('hostile names are text', () => {
    const text = formatHtml(fullReport({ name: (i) => `${HOSTILE}${i}` }));
    expect(text).not.toContain('<img');
    expect(text).not.toContain('onload=window.hacked=1>');
    expect(text.match(/<script/g)).toHaveLength(1);
  });
});

describe('accuracy by precision', () => {
  const full = fullReport();
  const allowed = (text: string): number => [...text.matchAll(/<path\s+class="allowed"/g)].length;

  test('draws the largest drop that a threshold allows, beside what it judges', () => {
    const check = full.verdict.checks[0]!;
    const of = (limit: string, candidate: 'mixed' | 'int8' = 'mixed'): string =>
      formatHtml({
        ...full,
        verdict: { ...full.verdict, candidate, checks: [{ ...check, metric: 'mAP50-95', limit }] },
      });
    expect([of('drop ≤ 0.020'), of('drop ≤ 0.020', 'int8'), of('≥ 0.850')].map(allowed)).toEqual([1, 1, 0]);
    expect(of('drop ≤ 0.020')).toContain('largest drop allowed: −0.020');
  });

  test('shows a variant that lost everything at the edge, with its number', () => {
    const [mixed, int8] = [full.variants.mixed!.drop!, full.variants.int8.drop!];
    expect([int8.drop > 0.5, mixed.drop < 0.1]).toEqual([true, true]);
    expect(formatHtml(full)).toMatch(/class="tick"[^>]*>−0\.911<\/text/);
  });

  test('has a row for the base, and says whose FP32 it is held against', () => {
    const base = { ...full.base!, variants: { ...full.base!.variants, mixed: { AP: 0.4, AP50: 0.6 } } };
    expect(formatHtml({ ...full, base })).toMatch(
      /base, mixed<\/th>[^]*?0\.400[^]*?−0\.100 <small>of its FP32/,
    );
    expect(formatHtml(sample)).not.toContain('dot base');
  });
});

describe('the audit of calibration images', () => {
  const { audit } = fullReport({ name: (i) => `image ${i}.jpg` });

  test('shows each kind of image once, with the pictures that the report holds, and grey where it holds none', () => {
    const text = formatHtml({ ...sample, audit: audit! });
    const sheet = contactSheet(audit!);
    expect(sheet.map(({ title }) => title)).toEqual([
      'class image 28.jpg',
      'Images that ranges hang on',
      'Images that repeat another',
      'Calibration images in the validation set',
      'Blank images',
    ]);
    for (const { title, images } of sheet) {
      expect(text).toContain(title);
      for (const { name } of images) expect(text).toContain(`>${name}</span>`);
    }
    expect(text.match(/<svg class="thumb"[^>]*>\s*<image href="data:image\/jpeg;base64,/g)).toHaveLength(4);
    expect(text.match(/<svg class="thumb"[^>]*>\s*<rect class="ground"/g)).toHaveLength(4);
  });

  test('stands without pictures, and is left out of a report that has none', () => {
    const { pictures, ...plain } = audit!;
    expect(pictures).not.toEqual([]);
    const text = formatHtml({ ...sample, audit: plain });
    expect(text).toContain('image 29.jpg');
    expect(text).not.toContain('data:image/jpeg');
    expect(formatHtml(sample)).not.toContain('Calibration images</h2>');
  });

  test('is a page of its own too', () => {
    const text = formatAuditHtml(audit!, { ...sample, model: 'model.onnx' });
    expect(text).toMatch(/<h1>\s*Calibration audit: FAIL/);
    expect(text).toContain('class image 28.jpg');
    expect(text).not.toContain('undefined');
  });

  test('the sheet names a bounded number of images, however many are found', () => {
    const many = Array.from({ length: 300 }, (_, i) => `many ${i}`);
    const images = contactSheet({
      ...audit!,
      duplicates: many.map((name) => ({ first: name, second: `${name} again`, exact: false })),
      overlap: many.map((name) => ({ first: name, second: name, exact: true })),
      dominating: many.map((name) => ({ name, tensors: 0.5, loss: 0.5 })),
      gaps: many.map((kind) => ({
        attribute: 'class',
        kind,
        validation: 9,
        calibration: 0,
        examples: many.slice(0, 4),
      })),
    }).flatMap(({ images: group }) => group);
    expect(images.length).toBeLessThanOrEqual(reportSchema.properties.audit.properties.pictures.maxItems);
  });
});

const browser = await openChromium();
(browser === undefined ? describe.skip : describe)('in Chromium, from file://', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'int8-gate-page-'));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  /** Opens a report; answers the page, and everything that a browser complains of or would fetch. */
  async function open(report: Report): Promise<{ page: Page; complaints: string[] }> {
    const file = join(folder, 'report.html');
    await writeFile(file, formatHtml(report));
    const page = await browser!.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!/^(data:|file:.*report\.html$)/.test(request.url())) complaints.push(request.url());
    });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(pathToFileURL(file).href);
    return { page, complaints };
  }

  /** Runs in the page: written as text, since types of the DOM are not those of this house. */
  const ask = async <T>(page: Page, expression: string): Promise<T> => (await page.evaluate(expression)) as T;
  const texts = (page: Page, selector: string): Promise<string[]> =>
    ask(
      page,
      `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent.trim())`,
    );

  test('opens without a word on the console and without a request', async () => {
    const { page, complaints } = await open(fullReport());
    expect(await texts(page, 'h1')).toEqual([expect.stringContaining('FAIL')]);
    expect(await texts(page, 'section > h2')).toEqual([
      ...[
        'What to do',
        'Thresholds (mixed)',
        'Accuracy by precision',
        'Against the base',
        'Causes',
        'Layers',
      ],
      ...['Plans', 'Classes', 'Outputs', 'Tensors', 'Calibration images', 'Images', 'To reproduce'],
    ]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('hostile names run nothing, drawn at once or on demand', async () => {
    const { page, complaints } = await open(fullReport({ layers: 40, name: (i) => `${HOSTILE}${i}` }));
    await page.select('#tensor', '0');
    expect(await texts(page, '#chosen-tensor .name')).toEqual([expect.stringContaining('</script><img')]);
    await page.type('input[data-filter="layer-table"]', '<img');
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.$$('img, iframe, object, embed')).toHaveLength(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('sorts by number and by text, both ways', async () => {
    const { page } = await open(fullReport({ layers: 12 }));
    const column = (n: number): Promise<string[]> => texts(page, `#layer-table tbody td:nth-child(${n})`);
    const press = (n: number): Promise<void> =>
      ask(page, `document.querySelector('#layer-table th:nth-child(${n}) button').click()`);
    await press(1);
    await press(1);
    expect(await column(1)).toEqual(Array.from({ length: 12 }, (_, i) => String(12 - i)));
    await press(2);
    expect((await column(2)).slice(0, 4)).toEqual([
      '/model.0/conv/Conv',
      '/model.1/conv/Conv',
      '/model.2/conv/Conv',
      '/model.3/conv/Conv',
    ]);
    expect(await ask(page, `document.querySelector('#layer-table th:nth-child(2)').ariaSort`)).toBe(
      'ascending',
    );
    await page.close();
  });

  test('searches: all words must be found, and what is left is counted', async () => {
    const { page } = await open(fullReport({ layers: 12 }));
    await page.keyboard.press('/');
    await page.keyboard.type('model.1 conv');
    expect(await texts(page, '#layer-table tbody tr:not([hidden]) td:nth-child(2)')).toEqual([
      '/model.1/conv/Conv',
      '/model.10/conv/Conv',
      '/model.11/conv/Conv',
    ]);
    expect(await texts(page, 'output[data-count="layer-table"]')).toEqual(['3 of 12']);
    await page.close();
  });

  test('turns dark by key, and stays so', async () => {
    const { page } = await open(fullReport());
    const ground = (): Promise<string> =>
      page.evaluate('getComputedStyle(document.body).backgroundColor') as Promise<string>;
    expect(await ground()).toBe('rgb(255, 255, 255)');
    await page.keyboard.press('t');
    expect(await ground()).toBe('rgb(15, 20, 26)');
    await page.reload();
    expect(await ground()).toBe('rgb(15, 20, 26)');
    await page.evaluate('localStorage.clear()');
    await page.close();
  });

  test.each([390, 1280])('at %p pixels nothing is wider than the window', async (width) => {
    const { page } = await open(
      fullReport({ layers: 40, name: (i) => `/a/very/long/name/${'x'.repeat(80)}/${i}` }),
    );
    await page.setViewport({ width, height: 900 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    await page.close();
  });

  test('is read by keyboard: every control has a name and can be reached', async () => {
    const { page } = await open(fullReport());
    const unnamed = await ask(
      page,
      `[...document.querySelectorAll('button, input, select, a, summary')]
        .filter((one) => one.textContent.trim() === '' && one.labels?.length !== 1).map((one) => one.outerHTML)`,
    );
    expect(unnamed).toEqual([]);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toBe('skip');
    await page.close();
  });

  test('prints light, without controls, with details open', async () => {
    const { page } = await open(fullReport());
    expect((await page.pdf()).length).toBeGreaterThan(10_000);
    expect(await page.$$('details:not([open])')).toHaveLength(0);
    await page.close();
  });
});
