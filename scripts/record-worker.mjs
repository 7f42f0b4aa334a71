#!/usr/bin/env node
// Stands between the program and the TensorRT worker and writes down what they say, so that a run on a real GPU can be
// replayed without one (test/engine/tensorrt/replay-worker.mjs).
//   engine.tensorrt.python: /path/scripts/record-worker.mjs
//   TRANSCRIPT=run.jsonl RECORDED_PYTHON=python3 int8-gate run …; gzip -9 run.jsonl
// First line: the worker's greeting. Then a line an exchange: request, answer, and the bytes of outputs (deflate, base64).
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { deflateRawSync } from 'node:zlib';

const BYTES = { float32: 4, float16: 2, int64: 8, int32: 4, uint8: 1, int8: 1, bool: 1 };
const transcript = process.env.TRANSCRIPT;
if (transcript === undefined) throw new Error('set TRANSCRIPT to the file to write');

const child = spawn(process.env.RECORDED_PYTHON ?? 'python3', process.argv.slice(2), {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const write = (record) => appendFileSync(transcript, `${JSON.stringify(record)}\n`);
const asked = new Map();
const types = new Map();
let greeting;

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (greeting !== undefined) {
      write(greeting);
      greeting = undefined;
    }
    const request = JSON.parse(line);
    asked.set(request.id, request);
    child.stdin.write(`${line}\n`);
  })
  .on('close', () => child.stdin.end());

createInterface({ input: child.stdout }).on('line', (line) => {
  const message = JSON.parse(line);
  if (message.event === 'ready') greeting = message;
  else if (message.id !== undefined) {
    const request = asked.get(message.id);
    if (request.op === 'load')
      for (const { name, type } of message.ok?.tensors ?? [])
        types.set(`${message.ok.session} ${name}`, type);
    write({
      request,
      answer: message,
      ...(request.op === 'run' && { outputs: outputsOf(request, message) }),
    });
  }
  process.stdout.write(`${line}\n`);
});
child.on('close', (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));

function outputsOf({ session, file }, { ok }) {
  const handle = openSync(file, 'r');
  const parts = (ok?.outputs ?? []).map(({ name, shape, offset }) => {
    const size = shape.reduce((a, b) => a * b, 1) * BYTES[types.get(`${session} ${name}`)];
    const bytes = Buffer.alloc(size);
    readSync(handle, bytes, 0, size, offset);
    return deflateRawSync(bytes, { level: 9 }).toString('base64');
  });
  closeSync(handle);
  return parts;
}
