"""Records model inputs as the detectors' own code makes them, from small images. Writes test/dataset/golden/preprocess.json.

Each recipe follows the steps that the family documents, with cv2, Pillow and numpy doing the work.
Run with opencv-python-headless, pillow and numpy: python test/oracles/preprocess.py
"""
import base64, gzip, json
import cv2, numpy as np
from PIL import Image

rng = np.random.default_rng(5)
IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))
RTMDET = (np.array([103.53, 116.28, 123.675], np.float32), np.array([57.375, 57.12, 58.395], np.float32))
H, W = 20, 24


def letterbox(a, pad=114):
    h, w = a.shape[:2]
    r = min(H / h, W / w)
    nw, nh = round(w * r), round(h * r)
    dw, dh = (W - nw) / 2, (H - nh) / 2
    if (w, h) != (nw, nh):
        a = cv2.resize(a, (nw, nh), interpolation=cv2.INTER_LINEAR)
    top, bottom, left, right = round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1)
    return cv2.copyMakeBorder(a, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(pad, pad, pad))


def on_canvas(a, value, dtype):
    canvas = np.full((H, W, 3), value, dtype)
    canvas[: a.shape[0], : a.shape[1]] = a
    return canvas


def top_left(a):
    r = min(H / a.shape[0], W / a.shape[1])
    return on_canvas(cv2.resize(a, (int(a.shape[1] * r), int(a.shape[0] * r)), interpolation=cv2.INTER_LINEAR), 114, np.uint8)


def yolo_nas(a):
    """super-gradients: DetectionLongestMaxSizeRescale to 4 less, then DetectionCenterPadding."""
    h, w = a.shape[:2]
    r = min((H - 4) / h, (W - 4) / w)
    a = cv2.resize(a, (round(w * r), round(h * r)), interpolation=cv2.INTER_LINEAR)
    canvas = np.full((H, W, 3), 114, np.uint8)
    top, left = (H - a.shape[0]) // 2, (W - a.shape[1]) // 2
    canvas[top : top + a.shape[0], left : left + a.shape[1]] = a
    return canvas


def cubic(a):
    cv2.ipp.setUseIPP(False)  # see resize.py
    out = cv2.resize(a, (W, H), interpolation=cv2.INTER_CUBIC)
    cv2.ipp.setUseIPP(True)
    return out


def stretch(a):
    return np.asarray(Image.fromarray(a).resize((W, H), Image.BILINEAR))


def keep_ratio(a):
    """mmdetection: short edge 16, long edge 20, int(x * scale + 0.5), padded right and bottom."""
    h, w = a.shape[:2]
    scale = min(20 / max(h, w), 16 / min(h, w))
    return on_canvas(cv2.resize(a, (int(w * scale + 0.5), int(h * scale + 0.5)), interpolation=cv2.INTER_LINEAR), 114, np.uint8)


def detr(a):
    """DETR: short side 14, long side at most 20."""
    h, w = a.shape[:2]
    size = 14
    if max(w, h) / min(w, h) * size > 20:
        size = int(round(20 * min(w, h) / max(w, h)))
    nw, nh = (size, int(size * h / w)) if w < h else (int(size * w / h), size)
    return on_canvas(np.asarray(Image.fromarray(a).resize((nw, nh), Image.BILINEAR)), 0, np.uint8)


unit = lambda a: a.astype(np.float32) / np.float32(255)
chw = lambda a: a.transpose(2, 0, 1)
base = {"height": H, "width": W, "interpolation": "opencv", "color": "rgb", "pad": 114, "scale": 1 / 255,
        "mean": [0, 0, 0], "std": [1, 1, 1], "layout": "nchw", "dtype": "float32", "exif": True}
imagenet = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
RECIPES = {
    "Ultralytics": ({"resize": "letterbox"}, lambda a: chw(unit(letterbox(a)))),
    "Ultralytics in half precision": ({"resize": "letterbox", "dtype": "float16"}, lambda a: chw(letterbox(a).astype(np.float16) / np.float16(255))),
    "YOLOX": ({"resize": "letterbox-top-left", "color": "bgr", "scale": 1}, lambda a: chw(top_left(a[..., ::-1]).astype(np.float32))),
    "YOLO-NAS": ({"resize": "letterbox", "margin": 4}, lambda a: chw(unit(yolo_nas(a)))),
    "PicoDet": ({"resize": "stretch", "interpolation": "opencv-cubic", **imagenet}, lambda a: chw((unit(cubic(a)) - IMAGENET[0]) / IMAGENET[1])),
    "RT-DETR": ({"resize": "stretch", "interpolation": "pil"}, lambda a: chw(unit(stretch(a)))),
    "RF-DETR": ({"resize": "stretch", "interpolation": "pil", **imagenet}, lambda a: chw((unit(stretch(a)) - IMAGENET[0]) / IMAGENET[1])),
    "DETR with black padding": ({"resize": "shortest-side", "interpolation": "pil", "shortSide": 14, "longSide": 20, "pad": 0, **imagenet}, lambda a: chw((unit(detr(a)) - IMAGENET[0]) / IMAGENET[1])),
    "RTMDet": ({"resize": "shortest-side", "shortSide": 18, "longSide": 20, "color": "bgr", "scale": 1, "mean": RTMDET[0].tolist(), "std": RTMDET[1].tolist()},
               lambda a: chw((keep_ratio(a[..., ::-1]).astype(np.float32) - RTMDET[0]) / RTMDET[1])),
    "TensorFlow, 8 bit": ({"resize": "stretch", "scale": 1, "layout": "nhwc", "dtype": "uint8"}, lambda a: cv2.resize(a, (W, H), interpolation=cv2.INTER_LINEAR)),
}
b64 = lambda a: base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()
images, cases = [], []
for w, h in [(40, 30), (21, 37), (48, 13)]:
    a = cv2.GaussianBlur(rng.integers(0, 256, (h, w, 3), dtype=np.uint8), (3, 3), 1)
    images.append({"width": w, "height": h, "data": b64(a)})
for name, (spec, recipe) in RECIPES.items():
    inputs = [recipe(np.frombuffer(base64.b64decode(i["data"]), np.uint8).reshape(i["height"], i["width"], 3)) for i in images]
    cases.append({"name": name, "spec": {**base, **spec}, "inputs": [b64(i) for i in inputs]})
text = json.dumps({"opencv": cv2.__version__, "images": images, "cases": cases})
gzip.GzipFile("test/dataset/golden/preprocess.json.gz", "wb", mtime=0).write(text.encode())
