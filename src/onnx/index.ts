/** Reads and writes ONNX files and answers questions about their graphs. Knows nothing of quantization. */
export {
  encodeModel,
  externalFiles,
  opsetOf,
  parseModel,
  readModel,
  type Model,
  type ModelDigest,
  type StructureDigest,
} from './model.js';
export {
  attributeOf,
  buildGraph,
  changed,
  cloneModel,
  exposeOutputs,
  intAttribute,
  type Graph,
  type GraphNode,
} from './graph.js';
export {
  bytesPerElement,
  elementCount,
  floatToHalf,
  floatsToTensor,
  HALF_MAX,
  halvesToTensor,
  halfToFloat,
  int8Tensor,
  integersToTensor,
  tensorToFloats,
  tensorToIntegers,
} from './tensor.js';
export { convertOpset, NEWEST_OPSET, OLDEST_OPSET } from './opset.js';
export { nodeStructure, weightsDigest, structureDigest } from './structure.js';
export {
  NodeProtoSchema,
  AttributeProtoSchema,
  TensorProto_DataType,
  AttributeProto_AttributeType,
  ModelProtoSchema,
  GraphProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from './generated/onnx_pb.js';
