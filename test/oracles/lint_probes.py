"""Tiny Q/DQ files, one thing changed in each, for TensorRT and the linter: python lint_probes.py OUT

Writes OUT/NAME.onnx. What TensorRT 10.6 said to each (built with INT8 and FP16, weakly typed)
is in ../lint/golden/probes.json; the very files that it was given are in probes.onnx.gz there, one after the other in the
order of the JSON, which has the length of each. Made with onnx 1.22.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, H, I8 = np.float32, np.float16, np.int8
rng = np.random.RandomState(0)


def k(name, value):
    return numpy_helper.from_array(np.asarray(value), name)


def node(op, inputs, output, name=None, **attributes):
    return helper.make_node(op, [i for i in inputs if i], [output], name=name or output, **attributes)


def q(x, scale, zero, y, axis=None, op="QuantizeLinear", **more):
    if axis is not None:
        more["axis"] = axis
    return node(op, [x, scale, zero], y, f"{y}_{op}", **more)


def dq(x, scale, zero, y, axis=None, **more):
    return q(x, scale, zero, y, axis, "DequantizeLinear", **more)


def conv(x="xd", w="wd", y="y", bias=None):
    return node("Conv", [x, w, bias], y, f"{y}_Conv", pads=[1] * 4)


def save(name, nodes, constants, inputs=(("x", [1, 16, 16, 16], TensorProto.FLOAT),), out=TensorProto.FLOAT, opset=17, more=()):
    graph = helper.make_graph(
        list(nodes),
        name,
        [helper.make_tensor_value_info(one, kind, shape) for one, shape, kind in inputs],
        [helper.make_tensor_value_info("y", out, [None] * 4)],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), *more], producer_name="probe")
    model.ir_version = 10 if opset > 19 else 9 if opset > 17 else 8
    onnx.save(model, pathlib.Path(sys.argv[1]) / f"{name}.onnx")


w = (rng.rand(16, 16, 3, 3) - 0.5).astype(F)
ws = (np.abs(w).max((1, 2, 3)) / 127).astype(F)
wz = np.zeros(16, I8)
wq = np.clip(np.round(w / ws[:, None, None, None]), -127, 127).astype(I8)
A = [k("xs", F(0.01)), k("xz", I8(0))]
W = [k("w", w), k("ws", ws), k("wz", wz)]
WI = [k("wq", wq), k("ws", ws), k("wz", wz)]
QA = [q("x", "xs", "xz", "xq"), dq("xq", "xs", "xz", "xd")]
QW = [q("w", "ws", "wz", "wq", 0), dq("wq", "ws", "wz", "wd", 0)]

save("00-base", QA + QW + [conv()], A + W)
save("01-uint8-activation", QA + QW + [conv()], [k("xs", F(0.01)), k("xz", np.uint8(128))] + W)
save("02-asymmetric-int8", QA + QW + [conv()], [k("xs", F(0.01)), k("xz", I8(5))] + W)
bias = [k("bq", np.arange(16, dtype=np.int32)), k("bs", (ws * 0.01).astype(F)), k("bz", np.zeros(16, np.int32))]
save("03-int32-bias", QA + QW + [dq("bq", "bs", "bz", "bd", 0), conv(bias="bd")], A + W + bias)
save("04-int8-weight-dq", QA + [dq("wq", "ws", "wz", "wd", 0), conv()], A + WI)
C8 = [k("cq", rng.randint(-127, 127, (1, 16, 16, 16)).astype(I8)), k("cs", F(0.02)), k("cz", I8(0))]
add = node("Add", ["c", "cd"], "y", "add")
save("05-int8-constant-dq-add", QA + QW + [conv(y="c"), dq("cq", "cs", "cz", "cd"), add], A + W + C8)
pair = [q("k", "cs", "cz", "cq"), dq("cq", "cs", "cz", "cd")]
constant = C8[1:] + [k("k", rng.rand(1, 16, 16, 16).astype(F))]
save("06-constant-q-dq-add", QA + QW + [conv(y="c"), *pair, add], A + W + constant)
save("07-no-zero-point", [q("x", "xs", None, "xq"), dq("xq", "xs", None, "xd")] + QW + [conv()], [k("xs", F(0.01))] + W)
by_channel = [k("xs", np.full(16, 0.01, F) * np.arange(1, 17, dtype=F)), k("xz", wz)]
save("08-per-channel-activation", [q("x", "xs", "xz", "xq", 1), dq("xq", "xs", "xz", "xd", 1)] + QW + [conv()], by_channel + W)
with_scale = (("x", [1, 16, 16, 16], TensorProto.FLOAT), ("xs", [], TensorProto.FLOAT))
save("09-scale-input", QA + QW + [conv()], [k("xz", I8(0))] + W, inputs=with_scale)
values = (("10-negative", -0.01), ("11-zero", 0.0), ("12-nan", np.nan), ("13-inf", np.inf), ("14-subnormal", 1e-40))
for name, value in values:
    save(f"{name}-scale", QA + QW + [conv()], [k("xs", F(value)), k("xz", I8(0))] + W)
save("15-q-to-output", QA + QW + [conv(y="c"), q("c", "xs", "xz", "y")], A + W, out=TensorProto.INT8)
reshaped = [q("x", "xs", "xz", "xq"), node("Reshape", ["xq", "shp"], "xr", "r"), dq("xr", "xs", "xz", "xd")]
save("16-int8-reshape-before-dq", reshaped + QW + [conv()], A + W + [k("shp", np.array([1, 16, 8, 32]))])
weights = [node("Reshape", ["wq", "shp"], "wr", "r"), dq("wr", "ws", "wz", "wd", 0), conv()]
save("17-int8-constant-reshape-dq", QA + weights, A + WI + [k("shp", np.array([16, 16, 3, 3]))])
save("18-int8-input-dq", [dq("x", "xs", "xz", "xd")] + QW + [conv()], A + W, inputs=(("x", [1, 16, 16, 16], TensorProto.INT8),))
save("19-weight-axis-1", QA + [q("w", "ws", "wz", "wq", 1), dq("wq", "ws", "wz", "wd", 1), conv()], A + W)
save("20-scale-count", QA + QW + [conv()], A + [k("w", w), k("ws", ws[:8]), k("wz", wz[:8])])
save("21-input-only", QA + [conv(w="w")], A + W[:1])
save("22-weight-only", QW + [conv(x="x")], W)
save("23-uint8-weights", QA + QW + [conv()], A + W[:2] + [k("wz", np.full(16, 128, np.uint8))])
save("24-int16", QA + QW + [conv()], [k("xs", F(0.01)), k("xz", np.int16(0))] + W, opset=21)
dynamic = helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"], name="dyn")
integer = [node("ConvInteger", ["xq", "wu", "xz"], "ci", pads=[1] * 4), node("Cast", ["ci"], "y", "cast", to=1)]
save("25-dynamic-quantize", [dynamic, *integer], [k("wu", wq)])
qlinear = node("QLinearConv", ["xq", "xs", "xz", "wq", "ws", "wz", "ys", "yz"], "yq", "ql", pads=[1] * 4)
outputs = [k("ys", F(0.05)), k("yz", I8(0))]
save("26-qlinearconv", [q("x", "xs", "xz", "xq"), qlinear, dq("yq", "ys", "yz", "y")], A + WI + outputs)
wt = (rng.rand(16, 16, 2, 2) - 0.5).astype(F)
for group in (1, 4):
    pair = [q("wt", "ts", "tz", "tq", 1), dq("tq", "ts", "tz", "td", 1)]
    transposed = node("ConvTranspose", ["xd", "td"], "y", "ct", strides=[2, 2], group=group)
    each = 16 // group
    constants = A + [k("wt", wt[:, :each]), k("ts", ws[:each]), k("tz", wz[:each])]
    save(f"27-convtranspose-axis1-group{group}", QA + pair + [transposed], constants)
product = [q("m", "ms", "mz", "mq", 1), dq("mq", "ms", "mz", "md", 1), node("MatMul", ["xd", "md"], "y", "mm")]
matrix = [k("m", rng.rand(16, 32).astype(F)), k("ms", np.full(32, 0.01, F)), k("mz", np.zeros(32, I8))]
save("28-matmul-axis1", QA + product, A + matrix)
one_zero = np.where(np.arange(16) == 3, 0, ws).astype(F)
save("29-zero-weight-scale", QA + QW + [conv()], A + [k("w", w), k("ws", one_zero), k("wz", wz)])
foreign = [q("x", "xs", "xz", "xq", domain="com.microsoft"), dq("xq", "xs", "xz", "xd", domain="com.microsoft")]
save("30-microsoft-domain", foreign + QW + [conv()], A + W, more=[helper.make_opsetid("com.microsoft", 1)])
shared = [k("xs", F(0.01)), k("xz0", I8(0))]
save("31-identity-zero-point", [node("Identity", ["xz0"], "xz", "i")] + QA + QW + [conv()], shared + W)
inside = [
    conv(y="c"),
    q("c", "cs", "xz", "cq"),
    dq("cq", "cs", "xz", "cd"),
    node("Sigmoid", ["cd"], "s", "sig"),
    node("Mul", ["cd", "s"], "m", "mul"),
    q("m", "cs", "xz", "mq"),
    dq("mq", "cs", "xz", "md"),
    conv(x="md"),
]
save("32-qdq-inside-silu", QA + QW + inside, A + W + [k("cs", F(0.02))])
joined = [
    conv(y="c"),
    conv(y="d"),
    q("c", "cs", "xz", "cq"),
    dq("cq", "cs", "xz", "cd"),
    q("d", "es", "xz", "eq"),
    dq("eq", "es", "xz", "ed"),
    node("Concat", ["cd", "ed"], "e", "cat", axis=1),
    q("e", "fs", "xz", "fq"),
    dq("fq", "fs", "xz", "fd"),
    conv(x="fd", w="w2"),
]
three = [k("cs", F(0.02)), k("es", F(0.05)), k("fs", F(0.06)), k("w2", np.concatenate([w, w], 1))]
save("33-concat-different-scales", QA + QW + joined, A + W + three)
half = [k("xs", H(0.01)), k("xz", I8(0)), k("w", w), k("ws", ws.astype(H)), k("wz", wz)]
save("34-fp16-scale-fp32-input", QA + QW + [conv()], half, opset=19)
cast = node("Cast", ["yh"], "y", "c1", to=1)
start = [node("Cast", ["x"], "xh", "c0", to=10), q("xh", "xs", "xz", "xq"), dq("xq", "xs", "xz", "xd")]
all_half = [k("xs", H(0.01)), k("xz", I8(0)), k("w", w.astype(H)), k("ws", ws.astype(H)), k("wz", wz)]
save("35-fp16-all", start + QW + [conv(y="yh"), cast], all_half, opset=19)
mixed = [q("x", "xs", "xz", "xq"), dq("xq", "xh", "xz", "xd"), dq("wq", "ws", "wz", "wd", 0), conv(y="yh"), cast]
two = [k("xs", F(H(0.01))), k("xh", H(0.01)), k("xz", I8(0)), k("wq", wq), k("ws", ws.astype(H)), k("wz", wz)]
save("36-mixed-q-fp32-dq-fp16", mixed, two, opset=19)
save("37-q-dq-scales-differ", [QA[0], dq("xq", "x2", "xz", "xd")] + QW + [conv()], A + [k("x2", F(0.02))] + W)
between = [node("Sigmoid", ["xd"], "s", "sig"), q("s", "cs", "xz", "sq"), dq("sq", "cs", "xz", "sd")]
save("38-sigmoid-between", QA + between + QW + [conv(x="sd")], A + W + [k("cs", F(1 / 127))])
save("39-float-zero-point-f8-absent", QA + QW + [conv()], A + W, opset=21)
save("40-int8-weight-no-zero-point", QA + [dq("wq", "ws", None, "wd", 0), conv()], A + WI[:2])
one = [q("one", "xs", "xz", "oq"), dq("oq", "xs", "xz", "od"), node("Mul", ["c", "od"], "y", "mul")]
last = node("Conv", ["xd", "wd"], "c", "conv", pads=[1] * 4)
save("41-scalar-quantized", QA + [last] + QW + one, A + W + [k("one", F(1.0))])
