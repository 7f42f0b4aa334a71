import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  ModelProtoSchema,
  TensorProto_DataLocation,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './generated/onnx_pb.js';
import { InputFault, messageOf, systemCode } from '../faults/index.js';
import { inOrder } from './order.js';
import { structureDigest } from './structure.js';

declare const digestBrand: unique symbol;
/** SHA-256 of a model file, hexadecimal. */
export type ModelDigest = string & { readonly [digestBrand]: 'model' };
/** SHA-256 of a graph's operators, attributes and topology: names and weights do not matter. */
export type StructureDigest = string & { readonly [digestBrand]: 'structure' };

/** An ONNX model in memory. */
export interface Model {
  readonly proto: ModelProto;
  /** Absolute path, when it came from a file. */
  readonly path: string | undefined;
  /** File name, for messages. */
  readonly name: string;
  readonly digest: ModelDigest;
  readonly structure: StructureDigest;
  readonly sizeBytes: number;
  /** True when weights came from files beside the model and are now part of it. */
  readonly inlined: boolean;
  /** Names of nodes that stood in the file in front of what they read; they were put behind it. */
  readonly early?: readonly string[];
  /** By layer, what its bias needs when the layer is quantized, one value an output channel; float layers keep their bias. */
  readonly biasShifts?: ReadonlyMap<string, Float32Array>;
  /** The Q/DQ file that this float model was taken out of, when it was one. */
  readonly quantized?: ModelProto;
  /** That file as it came, where `quantized` is what TensorRT makes of it instead: UINT8 codes taken as INT8. */
  readonly misread?: ModelProto;
}

/** Protobuf's own limit for a message. */
const PROTOBUF_LIMIT = 2 ** 31 - 1;
const EXPORT_HINT =
  'Export the model again, e.g. `yolo export format=onnx`, and check that the file was copied whole (Git LFS pointer?).';

/** Reads a model. @throws InputFault when the file is missing, too large, damaged or no ONNX. */
export async function readModel(path: string): Promise<Model> {
  const size = await fileSize(path);
  if (size > PROTOBUF_LIMIT)
    throw new InputFault({
      where: path,
      what: `is ${(size / 2 ** 30).toFixed(2)} GiB; an ONNX file is limited to 2 GiB`,
      fix: 'Save it with external data (onnx.save(..., save_as_external_data=True)).',
    });
  const model = parseModel(await readFile(path), basename(path), resolve(path));
  await checkExternalData(model);
  const inlined = externalFiles(model.proto).size > 0;
  await inlineExternalData(model);
  return { ...model, inlined };
}

async function fileSize(path: string): Promise<number> {
  try {
    const info = await stat(path);
    if (info.isFile()) return info.size;
    throw new InputFault({
      where: path,
      what: 'is a folder, expected an .onnx file',
      fix: 'Name the .onnx file of the detector as `model`.',
    });
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new InputFault(
      { where: path, what: 'there is no such file', fix: 'Name the .onnx file of the detector as `model`.' },
      { cause: error },
    );
  }
}

/** How a file begins that Git LFS keeps elsewhere. */
const LFS = Buffer.from('version https://git-lfs');

/**
 * Parses the bytes of a model, and puts its nodes in the order of their data.
 * @throws InputFault when they are no ONNX model, or when nodes read each other in a circle.
 */
export function parseModel(bytes: Uint8Array, name: string, path?: string): Model {
  if (bytes.length === 0) throw new InputFault({ where: name, what: 'the file is empty', fix: EXPORT_HINT });
  if (Buffer.from(bytes.subarray(0, LFS.length)).equals(LFS))
    throw new InputFault({
      where: name,
      what: 'is a pointer of Git LFS: the model itself was not fetched',
      fix: 'Fetch it with `git lfs pull`; in a workflow `actions/checkout` does with `lfs: true`.',
    });
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new InputFault(
      { where: name, what: `is no ONNX model, or is cut short (${messageOf(error)})`, fix: EXPORT_HINT },
      { cause: error },
    );
  }
  const graph = proto.graph;
  if (graph === undefined || graph.node.length === 0 || proto.opsetImport.length === 0)
    throw new InputFault({
      where: name,
      what: 'is no ONNX model: it has no graph with nodes and an opset',
      fix: EXPORT_HINT,
    });
  const { nodes, early } = inOrder(graph, name);
  // Nodes without a name are called by their place, which is the new one everywhere else.
  const places = new Map(nodes.map((node, i) => [node, i]));
  const names = early.map((i) => {
    const node = graph.node[i] as NodeProto;
    return node.name || `${node.opType}_${places.get(node) ?? i}`;
  });
  graph.node = nodes;
  return {
    proto,
    path,
    name,
    ...(names.length > 0 && { early: names }),
    digest: createHash('sha256').update(bytes).digest('hex') as ModelDigest,
    structure: structureDigest(graph) as StructureDigest,
    sizeBytes: bytes.length,
    inlined: false,
  };
}

/** Version of the default ONNX operator set. */
export function opsetOf(proto: ModelProto): number {
  const entry = proto.opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx');
  return Number(entry?.version ?? 1n);
}

/** The bytes of a model; fields that this version of ONNX does not know are kept. */
export function encodeModel(proto: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, proto);
}

/** External weights must lie beside the model: a path that leaves its folder is refused. */
async function checkExternalData(model: Model): Promise<void> {
  if (model.path === undefined) return;
  const folder = dirname(model.path);
  for (const location of externalFiles(model.proto)) {
    const away = relative(folder, resolve(folder, location));
    if (isAbsolute(location) || isAbsolute(away) || away.startsWith('..'))
      throw new InputFault({
        where: `${model.name}, external data ${location}`,
        what: 'the path leaves the folder of the model',
        fix: 'Keep the file of weights beside the .onnx file.',
      });
    const file = await realpath(join(folder, location)).catch((cause: unknown) => {
      throw new InputFault(
        {
          where: `${model.name}, external data ${location}`,
          what: 'the file of weights is missing',
          fix: 'Copy it beside the .onnx file.',
        },
        { cause },
      );
    });
    // Caches of models link both files into one folder; a link to anywhere else reads what is not the model's.
    const homes = [await realpath(folder), dirname(await realpath(model.path))];
    if (!homes.some((home) => !relative(home, file).startsWith('..')) || !(await stat(file)).isFile())
      throw new InputFault({
        where: `${model.name}, external data ${location}`,
        what: 'is a link that leaves the folder of the model, or no file',
        fix: 'Keep the file of weights itself beside the .onnx file.',
      });
  }
  const stray = strayExternal(model.proto.graph);
  if (stray !== undefined)
    throw new InputFault({
      where: `${model.name}, tensor ${stray}`,
      what: 'is kept outside the file and is no weight of the main graph',
      fix: EXPORT_HINT,
    });
}

/** A tensor outside the file that is not among the main graph's initializers: nobody here reads it, and no engine shall. */
function strayExternal(graph: GraphProto | undefined, inner = false): string | undefined {
  const external = (tensor: TensorProto | undefined): boolean =>
    tensor?.dataLocation === TensorProto_DataLocation.EXTERNAL;
  const found = [
    ...(inner ? (graph?.initializer ?? []) : []),
    ...(graph?.sparseInitializer ?? []).flatMap(({ values, indices }) => [values, indices]),
    ...(graph?.node ?? []).flatMap(({ attribute }) =>
      attribute.flatMap(({ t, tensors, sparseTensor }) => [
        t,
        ...tensors,
        sparseTensor?.values,
        sparseTensor?.indices,
      ]),
    ),
  ].find(external);
  if (found !== undefined) return found.name === '' ? '(without a name)' : found.name;
  for (const { attribute } of graph?.node ?? [])
    for (const { g, graphs } of attribute)
      for (const one of [...graphs, ...(g === undefined ? [] : [g])]) {
        const deeper = strayExternal(one, true);
        if (deeper !== undefined) return deeper;
      }
  return undefined;
}

/** Brings external weights into the model, so that every room sees one kind of tensor. */
async function inlineExternalData(model: Model): Promise<void> {
  if (model.path === undefined) return;
  const folder = dirname(model.path);
  const files = new Map<string, Uint8Array>();
  let total = 0;
  for (const tensor of model.proto.graph?.initializer ?? []) {
    if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) continue;
    const entry = (key: string) => tensor.externalData.find((one) => one.key === key)?.value;
    const location = entry('location') ?? '';
    const data = files.get(location) ?? (await readFile(join(folder, location)));
    files.set(location, data);
    const offset = Number(entry('offset') ?? 0);
    const length = Number(entry('length') ?? data.length - offset);
    const where = `${model.name}, external data ${location}, tensor ${tensor.name}`;
    const whole = [offset, length].every((one) => Number.isSafeInteger(one) && one >= 0);
    if (!whole || offset + length > data.length)
      throw new InputFault({
        where,
        what: `needs bytes ${offset}…${offset + length}, the file has ${data.length}`,
        fix: EXPORT_HINT,
      });
    total += length;
    if (total > PROTOBUF_LIMIT)
      throw new InputFault({
        where,
        what: 'the weights exceed 2 GiB, more than int8-gate can quantize',
        fix: 'Judge a smaller detector: one file of ONNX ends at 2 GiB, and so does what can be quantized.',
      });
    tensor.rawData = data.subarray(offset, offset + length);
    tensor.dataLocation = TensorProto_DataLocation.DEFAULT;
    tensor.externalData = [];
  }
}

/** Names of the files that hold weights outside the model. */
export function externalFiles(proto: ModelProto): ReadonlySet<string> {
  const files = new Set<string>();
  for (const tensor of proto.graph?.initializer ?? []) {
    if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) continue;
    const location = tensor.externalData.find(({ key }) => key === 'location')?.value;
    if (location !== undefined) files.add(location);
  }
  return files;
}
