#!/usr/bin/env node
// Says what a real TensorRT worker said (TRANSCRIPT, written by scripts/record-worker.mjs), as long as it is asked the same.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createHash } from 'node:crypto';
import { gunzipSync, inflateRawSync } from 'node:zlib';

const lines = gunzipSync(readFileSync(process.env.TRANSCRIPT)).toString().trim().split('\n');
const [greeting, ...records] = lines.map((line) => JSON.parse(line));
/** What must be as recorded; paths and digests of files are of another machine. */
const FIXED = [
  'op',
  'mode',
  'batch',
  'shapes',
  'float',
  'optimizationLevel',
  'session',
  'inputs',
  'at',
  'graph',
  'iterations',
];
const fixed = (request) => JSON.stringify(FIXED.map((key) => request[key] ?? null));
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

say(greeting);
createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line);
  const record = records.shift();
  if (record === undefined || fixed(record.request) !== fixed(request)) {
    const message = `was recorded: ${record && fixed(record.request)}; is asked: ${fixed(request)}: record the run anew`;
    say({ id: request.id, error: { code: 'bad-request', message } });
    return;
  }
  const { answer, outputs } = record;
  if (request.op === 'build') {
    // The engine itself was not kept: its place is taken by its description.
    const bytes = Buffer.from(JSON.stringify(answer.ok));
    writeFileSync(request.engine, bytes);
    answer.ok.digest = createHash('sha256').update(bytes).digest('hex');
  }
  if (request.op === 'run') {
    const handle = openSync(request.file, 'r+');
    answer.ok.outputs.forEach(({ offset }, i) => {
      const bytes = inflateRawSync(Buffer.from(outputs[i], 'base64'));
      writeSync(handle, bytes, 0, bytes.length, offset);
    });
    closeSync(handle);
  }
  say({ ...answer, id: request.id });
});
