import type { Engine, ImageFeed } from '../engine/index.js';
import { encodeModel, type Graph, type Model } from '../onnx/index.js';
import { boundaryInfo, type Boundary } from './parts.js';
import type { Region } from './regions.js';

export type { Boundary } from './parts.js';

/** What tells the tensors between regions. */
export interface BoundaryInput {
  readonly engine: Engine;
  readonly model: Model;
  readonly graph: Graph;
  readonly feed: ImageFeed;
}

/** Types and dimensions of the tensors between regions, seen by running one image. */
export async function boundaryOf(
  { engine, model, graph, feed }: BoundaryInput,
  regions: readonly Region[],
): Promise<Boundary> {
  const names = [...new Set(regions.flatMap(({ inputs }) => inputs))].filter(
    (name) => !graph.inputs.includes(name),
  );
  const infos = new Map(
    graph.proto.input.filter(({ name }) => graph.inputs.includes(name)).map((info) => [info.name, info]),
  );
  const session = await engine.load(
    { name: model.name, bytes: encodeModel(model.proto) },
    { extraOutputs: names, lean: true },
  );
  try {
    await session.run({ ...feed, count: 1 }, (_i, outputs) => {
      for (const name of names) {
        const [tensor, type] = [outputs.get(name), graph.elementType(name)];
        if (tensor !== undefined && type !== undefined)
          infos.set(name, boundaryInfo(name, type, tensor.dims));
      }
    });
    return infos;
  } finally {
    await session.release();
  }
}
