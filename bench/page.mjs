// How long report.html of 2,000 layers takes to make and to open in Chromium.
// node bench/page.mjs REPORT.json [LAYERS]   (REPORT.json: of a run with a ranking of layers)
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import puppeteer from 'puppeteer-core';

const [file, count = '2000'] = process.argv.slice(2);
const report = JSON.parse(await readFile(file, 'utf8'));
const layers = Number(count);
const grown = (list, change) =>
  Array.from({ length: layers }, (_, i) => ({ ...list[i % list.length], ...change(i) }));
report.sensitivity.layers = grown(report.sensitivity.layers, (i) => ({
  rank: i + 1,
  name: `/model.${i}/conv/Conv`,
  depth: (i * 7919) % layers,
}));
report.histograms = grown(report.histograms ?? [], (i) => ({ tensor: `/model.${i}/conv/Conv_output_0` }));

const { outputFiles } = await build({
  entryPoints: ['src/report/html/page.ts'],
  bundle: true,
  format: 'esm',
  platform: 'node',
  write: false,
});
const source = `data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`;
const { formatHtml } = await import(source);
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const made = [];
let text = '';
for (let i = 0; i < 5; i++) {
  const start = performance.now();
  text = formatHtml(report);
  made.push(performance.now() - start);
}

const folder = await mkdtemp(join(tmpdir(), 'int8-gate-bench-'));
await writeFile(join(folder, 'report.html'), text);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const opened = [];
for (let i = 0; i < 5; i++) {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  const start = performance.now();
  await page.goto(pathToFileURL(join(folder, 'report.html')).href);
  // Two frames: what was laid out is painted then.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  opened.push(performance.now() - start);
  await page.close();
}
await browser.close();
await rm(folder, { recursive: true });
console.log(
  `${layers} layers: ${(Buffer.byteLength(text) / 1e6).toFixed(2)} MB, made in ${median(made).toFixed(0)} ms, open and painted in ${median(opened).toFixed(0)} ms (medians of 5)`,
);
