import type { HostTensor, LoadedModel, Runner } from '../../src/engine/index.js';
import { InputFault } from '../../src/faults/index.js';

/** Replays outputs that were recorded elsewhere, image by image: an engine for a device that is not at hand. */
export function replayEngine(
  name: Runner['name'],
  recorded: readonly ReadonlyMap<string, HostTensor>[],
): Runner {
  const outputs = [...(recorded[0] ?? [])].map(([output, { type, dims }]) => ({ name: output, type, dims }));
  const model: LoadedModel = {
    inputs: [],
    outputs,
    async run({ count }, onOutput, { signal, onProgress } = {}) {
      for (let i = 0; i < count; i++) {
        signal?.throwIfAborted();
        const answer = recorded[i];
        if (answer === undefined)
          throw new InputFault({
            where: `image ${i}`,
            what: 'was not recorded',
            fix: 'Record the whole set.',
          });
        onOutput(i, answer);
        onProgress?.(i + 1, count);
      }
    },
    latency: () => undefined,
    release: () => Promise.resolve(),
  };
  return { name, version: 'recorded', threads: 1, load: async () => model, close: () => Promise.resolve() };
}
