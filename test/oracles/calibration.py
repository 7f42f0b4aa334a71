"""Calibrates signs-v10 on the first 8 calibration scenes with onnxruntime's MinMax, moving average and Percentile
calibrators (symmetric). Writes test/calibration/golden/onnxruntime.json: amax by tensor.

The caches beside it were written by TensorRT 10.6's own calibrators on all 128 scenes, batches of 8.

Run with onnx, onnxruntime, opencv-python-headless and numpy: python test/oracles/calibration.py
"""
import glob, json, os, tempfile
import cv2, numpy as np, onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

MODEL = "fixtures/signs/models/signs-v10.onnx"
load = lambda f: np.ascontiguousarray(cv2.imread(f)[:, :, ::-1].transpose(2, 0, 1)[None]).astype(np.float32) / 255
images = [load(f) for f in sorted(glob.glob("fixtures/signs/calib/*.jpg"))[:8]]


class Reader(CalibrationDataReader):
    def __init__(self): self.left = list(images)
    def get_next(self): return {"images": self.left.pop(0)} if self.left else None


def amax(method, **options):
    with tempfile.TemporaryDirectory() as folder:
        calibrator = create_calibrator(MODEL, ["Conv"], os.path.join(folder, "c.onnx"), method,
                                       extra_options={"symmetric": True, **options})
        calibrator.collect_data(Reader())
        data = calibrator.compute_data()
        names = [n for n in data.keys() if n == "images" or n.endswith(("/act/Mul_output_0", "/conv/Conv_output_0"))]
        return {n: float(max(abs(float(np.ravel(v)[0])) for v in data[n].range_value)) for n in names}


got = {"onnxruntime": ort.__version__,
       "minmax": amax(CalibrationMethod.MinMax),
       "average": amax(CalibrationMethod.MinMax, moving_average=True),
       "percentile 99.999": amax(CalibrationMethod.Percentile, percentile=99.999),
       "percentile 99.99": amax(CalibrationMethod.Percentile, percentile=99.99),
       "percentile 99": amax(CalibrationMethod.Percentile, percentile=99)}
json.dump(got, open("test/calibration/golden/onnxruntime.json", "w"), separators=(",", ":"))
print({k: len(v) for k, v in got.items()})
