"""Records cv2.resize (INTER_LINEAR and INTER_CUBIC) and Pillow's BILINEAR on small images. Writes test/dataset/golden/resize.json.

Run with opencv-python-headless, pillow and numpy: python test/oracles/resize.py
"""
import base64, json
import cv2, numpy as np
from PIL import Image, __version__ as pil

rng = np.random.default_rng(7)
SIZES = [((7, 5), (13, 9)), ((16, 12), (8, 6)), ((31, 17), (10, 23)), ((20, 20), (20, 7)), ((1, 9), (4, 3)), ((9, 1), (3, 5)),
         ((48, 36), (30, 22)), ((33, 47), (64, 91)), ((40, 30), (13, 10)), ((6, 4), (3, 2)), ((5, 5), (5, 5)), ((50, 21), (25, 21)),
         ((12, 60), (10, 20)), ((20, 60), (10, 40)), ((20, 61), (10, 40)), ((9, 50), (20, 11))]
b64 = lambda a: base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()


def cubic(a, size):
    """OpenCV's own code: Intel's IPP, which its builds for x86 prefer, does not round weights and differs by a level here and there."""
    if a.shape[0] == size[1] or a.shape[1] == size[0]:
        return a[:0]  # exact halves, which OpenCV rounds to even in vectors and up in the rest of a row
    cv2.ipp.setUseIPP(False)
    out = cv2.resize(a, size, interpolation=cv2.INTER_CUBIC)
    cv2.ipp.setUseIPP(True)
    return out


cases = []
for (w, h), (tw, th) in SIZES:
    a = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    a = np.clip(a.astype(int) // 2 + np.linspace(0, 127, w)[None, :, None].astype(int), 0, 255).astype(np.uint8)
    cases.append({"from": [w, h], "to": [tw, th], "image": b64(a),
                  "opencv": b64(cv2.resize(a, (tw, th), interpolation=cv2.INTER_LINEAR)),
                  "cubic": b64(cubic(a, (tw, th))),
                  "pil": b64(np.asarray(Image.fromarray(a).resize((tw, th), Image.BILINEAR)))})
json.dump({"opencv": cv2.__version__, "pillow": pil, "cases": cases}, open("test/dataset/golden/resize.json", "w"))
