"""Small Q/DQ files as onnxruntime.quantization and NNCF write them, for the linter: python lint.py → ../lint/golden/*.onnx

A stem with SiLU, a residual block, a Concat, a head, and a tail with Softmax and a constant: 8 channels, 8 by 8 pixels.
Made with onnx 1.22 and onnxruntime 1.23 or newer, NNCF 3.4.
"""
import pathlib
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

OUT = pathlib.Path(__file__).parent.parent / "lint" / "golden"
rng = np.random.default_rng(1)


def model():
    inits, nodes = [], []

    def const(name, array):
        inits.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def conv(name, source, channels=8, out=8):
        w = const(f"{name}_w", rng.uniform(-0.3, 0.3, (out, channels, 3, 3)).astype(np.float32))
        b = const(f"{name}_b", rng.uniform(-0.1, 0.1, out).astype(np.float32))
        nodes.append(helper.make_node("Conv", [source, w, b], [name], name=name, pads=[1] * 4))
        return name

    def silu(source):
        nodes.append(helper.make_node("Sigmoid", [source], [f"{source}_sig"], name=f"{source}_sig"))
        nodes.append(helper.make_node("Mul", [source, f"{source}_sig"], [f"{source}_act"], name=f"{source}_act"))
        return f"{source}_act"

    stem = silu(conv("stem", "images", channels=3))
    body = silu(conv("body", stem))
    nodes.append(helper.make_node("Add", [stem, body], ["sum"], name="sum"))
    nodes.append(helper.make_node("Concat", [stem, "sum"], ["cat"], name="cat", axis=1))
    head = conv("head", silu(conv("neck", "cat", channels=16)))
    nodes.append(helper.make_node("Softmax", [head], ["soft"], name="soft", axis=1))
    stride = const("stride", np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8))
    nodes.append(helper.make_node("Mul", ["soft", stride], ["output0"], name="decode"))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 8, 8, 8])],
        inits,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="tiny")
    made.ir_version = 8
    return made


class Reader(CalibrationDataReader):
    def __init__(self):
        self.left = [{"images": rng.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)} for _ in range(2)]

    def get_next(self):
        return self.left.pop() if self.left else None


INT8 = {"activation_type": QuantType.QInt8, "weight_type": QuantType.QInt8}
SYMMETRIC = {"ActivationSymmetric": True, "WeightSymmetric": True}
FILES = {
    "default": {},
    "all-ops": {**INT8, "extra_options": SYMMETRIC},
    "conv-bias": {**INT8, "op_types_to_quantize": ["Conv"], "extra_options": SYMMETRIC},
    "conv": {
        **INT8,
        "op_types_to_quantize": ["Conv"],
        "per_channel": True,
        "extra_options": {**SYMMETRIC, "QuantizeBias": False},
    },
    "asymmetric": {**INT8, "op_types_to_quantize": ["Conv"], "extra_options": {"QuantizeBias": False}},
    "contrib": {**INT8, "op_types_to_quantize": ["Conv"], "extra_options": {**SYMMETRIC, "UseQDQContribOps": True}},
    "int16": {
        "activation_type": QuantType.QInt16,
        "weight_type": QuantType.QInt8,
        "op_types_to_quantize": ["Conv"],
        "extra_options": {**SYMMETRIC, "QuantizeBias": False},
    },
    "operators": {**INT8, "quant_format": QuantFormat.QOperator, "extra_options": SYMMETRIC},
}

if __name__ == "__main__":
    import nncf

    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "tiny.onnx"
        onnx.save(model(), source)
        for name, options in FILES.items():
            quantize_static(source, OUT / f"{name}.onnx", Reader(), **{"quant_format": QuantFormat.QDQ, **options})
        quantize_dynamic(source, OUT / "dynamic.onnx")
        nncf_model = nncf.quantize(model(), nncf.Dataset(Reader().left), subset_size=2)
        onnx.save(nncf_model, OUT / "nncf.onnx")
