/** What an answer of the worker must hold beside its form: shapes, places and counts that belong to what was asked. */
import type { TensorSpec } from '../types.js';
import { ELEMENT_BYTES } from './exchange.js';
import type { Operations, PlacedTensor } from './protocol.js';

/** Why the outputs of a run cannot be right; undefined when they can. */
export function doubtOfRun(
  { outputs, ms }: Operations['run']['answer'],
  asked: { readonly outputs: readonly TensorSpec[]; readonly at: number; readonly size: number },
): string | undefined {
  if (!(ms >= 0)) return `says that a run took ${ms} ms`;
  const lacking = asked.outputs.find(({ name }) => !outputs.some((one) => one.name === name));
  if (lacking !== undefined) return `gives no output ${lacking.name}`;
  for (const output of outputs) {
    const spec = asked.outputs.find(({ name }) => name === output.name);
    if (spec === undefined) return `gives an output ${output.name}, which the engine does not have`;
    const doubt = doubtOfPlace(output, spec, asked);
    if (doubt !== undefined) return `gives output ${output.name} ${doubt}`;
  }
  return undefined;
}

function doubtOfPlace(
  { shape, offset }: PlacedTensor,
  { dims, type }: TensorSpec,
  { at, size }: { readonly at: number; readonly size: number },
): string | undefined {
  const [words, agreed] = [shape.join(', '), dims.join(', ')];
  if (shape.some((length) => !Number.isInteger(length) || length < 0)) return `the dimensions [${words}]`;
  if (shape.length !== dims.length || dims.some((length, i) => length >= 0 && length !== shape[i]))
    return `the dimensions [${words}], the engine was built for [${agreed}]`;
  const bytes = shape.reduce((a, b) => a * b, 1) * ELEMENT_BYTES[type];
  if (!Number.isInteger(offset) || offset < at || offset + bytes > size)
    return `at byte ${offset}, outside its part of the exchange file`;
  return undefined;
}

/** Why times cannot be right; undefined when they can, or where there are none. */
export function doubtOfTimes(times: readonly number[] | null, iterations: number): string | undefined {
  if (times === null) return undefined;
  if (times.length !== iterations) return `gives ${times.length} times of ${iterations} runs`;
  const wrong = times.find((one) => !(one >= 0));
  return wrong === undefined ? undefined : `says that a run took ${wrong} ms`;
}
