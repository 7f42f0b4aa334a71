import {
  buildGraph,
  changed,
  floatsToTensor,
  tensorToFloats,
  type GraphProto,
  type ModelProto,
} from '../onnx/index.js';
import { weightValues } from './layers.js';

/**
 * Adds values to the biases of convolutions, one an output channel; a convolution without a bias gets one. What makes the
 * bias is replaced, since other layers may read it too, and left out when nothing reads it any more.
 *
 * @param shifts by the tensor that the convolution gives.
 */
export function shiftBiases(proto: ModelProto, shifts: ReadonlyMap<string, Float32Array>): ModelProto {
  const graph = buildGraph({ proto });
  const source = proto.graph as GraphProto;
  const replaced = new Set<string>();
  const added: GraphProto['initializer'] = [];
  const node = source.node.map((one) => {
    const output = one.output[0] ?? '';
    const shift = shifts.get(output);
    if (shift === undefined) return one;
    const [data = '', weights = '', bias = ''] = one.input;
    const before = weightValues(graph, bias);
    const values = before === undefined ? new Float32Array(shift.length) : tensorToFloats(before);
    const name = `${output}_shifted_bias`;
    replaced.add(bias);
    added.push(
      floatsToTensor(
        name,
        [shift.length],
        values.map((value, c) => value + (shift[c] as number)),
      ),
    );
    return changed(one, { input: [data, weights, name] });
  });
  const read = new Set(node.flatMap(({ input }) => input));
  const kept = source.initializer.filter(({ name }) => !replaced.has(name) || read.has(name));
  return changed(proto, { graph: changed(source, { node, initializer: [...kept, ...added] }) });
}
