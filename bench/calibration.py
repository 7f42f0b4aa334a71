"""The peer of bench/calibration.mjs: onnxruntime's Percentile calibrator over the first N images of a folder.

python bench/calibration.py MODEL FOLDER N SIZE

Prints `image MB` when an image is done, with the memory that is then in use.
"""
import glob, os, sys, tempfile
import cv2, numpy as np, onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator

model, folder, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
files = sorted(glob.glob(os.path.join(folder, "*.jpg")))[:count]
name = onnx.load(model).graph.input[0].name


def load(file):
    image = cv2.imread(file)
    h, w = image.shape[:2]
    r = min(size / h, size / w)
    nw, nh = round(w * r), round(h * r)
    canvas = np.full((size, size, 3), 114, np.uint8)
    top, left = (size - nh) // 2, (size - nw) // 2
    canvas[top:top + nh, left:left + nw] = cv2.resize(image, (nw, nh))
    return canvas[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255


def resident():
    """MB of memory now, as Linux counts it."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


class Reader(CalibrationDataReader):
    def __init__(self): self.left = list(files)
    def get_next(self):
        if len(self.left) < len(files): print("image", resident(), flush=True)
        return {name: load(self.left.pop(0))} if self.left else None


with tempfile.TemporaryDirectory() as folder:
    calibrator = create_calibrator(model, ["Conv"], os.path.join(folder, "c.onnx"), CalibrationMethod.Percentile,
                                   extra_options={"symmetric": True, "percentile": 99.999})
    calibrator.collect_data(Reader())
    calibrator.compute_data()
