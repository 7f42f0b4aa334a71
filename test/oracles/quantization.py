"""Quantizes signs-v10 with onnxruntime.quantization (Conv only, Q/DQ, int8 symmetric, per channel) from given ranges and
records its scales and outputs. Writes test/quantization/golden/conv-only.json.

Run with onnx, onnxruntime, opencv-python-headless and numpy: python test/oracles/quantization.py
"""
import base64, json, os, tempfile
import cv2, numpy as np, onnx, onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization.calibrate import create_calibrator
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

MODEL = "fixtures/signs/models/signs-v10.onnx"
load = lambda f: np.ascontiguousarray(cv2.imread(f)[:, :, ::-1].transpose(2, 0, 1)[None]).astype(np.float32) / 255
images = [load(f"fixtures/signs/val/{seed:06d}.jpg") for seed in (1000, 1001)]


class Reader(CalibrationDataReader):
    def __init__(self): self.left = list(images)
    def get_next(self): return {"images": self.left.pop()} if self.left else None


model = onnx.load(MODEL)
convs = [n for n in model.graph.node if n.op_type == "Conv"]
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "q.onnx")
    quantize_static(MODEL, out, Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv"], per_channel=True,
                    activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
                    extra_options={"ActivationSymmetric": True, "WeightSymmetric": True,
                                   "OpTypesToExcludeOutputQuantization": ["Conv"], "QuantizeBias": False})
    q = onnx.load(out)
    inits = {t.name: numpy_helper.to_array(t) for t in q.graph.initializer}
    hexes = lambda a: np.asarray(a, dtype="<f4").reshape(-1).tobytes().hex()
    dq = {n.output[0]: n for n in q.graph.node if n.op_type == "DequantizeLinear"}
    qn = {n.output[0]: n for n in q.graph.node if n.op_type == "QuantizeLinear"}
    activations, weights = {}, {}
    for n in q.graph.node:
        if n.op_type != "Conv": continue
        a, w = dq[n.input[0]], dq[n.input[1]]
        activations[qn[a.input[0]].input[0]] = hexes(inits[a.input[1]])
        weights[n.name] = hexes(inits[w.input[1]])
    # the ranges that its MinMax calibrator saw
    calibrator = create_calibrator(MODEL, ["Conv"], os.path.join(folder, "c.onnx"), CalibrationMethod.MinMax, extra_options={"symmetric": True})
    calibrator.collect_data(Reader())
    data = calibrator.compute_data()
    amax = {name: np.float32(max(abs(v) for v in data[name].range_value)) for name in activations}
    options = ort.SessionOptions(); options.add_session_config_entry("session.disable_quant_qdq", "1")
    fp32 = ort.InferenceSession(MODEL).run(None, {"images": images[0]})[0]
    got = ort.InferenceSession(out, options).run(None, {"images": images[0]})[0]
json.dump({"onnxruntime": ort.__version__, "amax": {k: hexes(v) for k, v in amax.items()}, "activations": activations, "weights": weights,
           "fp32Scores": [float(v) for v in fp32[0, :20, 4]], "int8Scores": [float(v) for v in got[0, :20, 4]]},
          open("test/quantization/golden/conv-only.json", "w"), separators=(",", ":"))
print(len(activations), len(weights), fp32[0, :3, 4], got[0, :3, 4])
