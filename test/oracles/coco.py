"""Runs pycocotools over small generated cases full of corners. Writes test/evaluation/golden/coco.json.gz.

Run with pycocotools and numpy: python test/oracles/coco.py
"""
import contextlib, gzip, hashlib, io, json
import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def box(rng, corner):
    x, y = rng.integers(0, 200, 2)
    if corner == "area":  # exactly on a limit of small, medium, large
        w, h = [(32, 32), (96, 96), (16, 64), (31, 33), (97, 95)][rng.integers(5)]
    elif corner == "grid":  # IoU exactly at thresholds
        return [0.0, 0.0, 100.0, float(rng.integers(10, 21) * 5)]
    else:
        w, h = rng.integers(1, 120, 2)
    return [float(x), float(y), float(w), float(h)]


def case(seed):
    rng = np.random.default_rng(seed)
    corner = ["plain", "area", "grid", "ties", "crowd", "many", "empty-truth", "empty-detections", "perfect", "images"][seed % 10]
    size = 12 if seed < 230 else 60
    images = [{"id": int(i), "width": 320, "height": 320} for i in rng.permutation(np.arange(1, 1 + (size if corner != "many" else 2)))]
    classes = [{"id": int(c), "name": f"c{c}"} for c in (3, 7, 90)]
    gts, dts = [], []
    for image in images:
        if corner != "empty-truth":
            for _ in range(int(rng.integers(0, 6 if corner != "many" else 130))):
                b = box(rng, corner)
                area = b[2] * b[3] * (1.0 if rng.random() < 0.7 else 0.6)
                gts.append({"id": len(gts) + 1, "image_id": image["id"], "category_id": int(rng.choice([3, 7])), "bbox": b, "area": area,
                            "iscrowd": int(corner == "crowd" and rng.random() < 0.35)})
        if corner == "empty-detections": continue
        mine = [g for g in gts if g["image_id"] == image["id"]]
        for _ in range(int(rng.integers(0, 8 if corner != "many" else 260))):
            if mine and rng.random() < 0.7:
                g = mine[rng.integers(len(mine))]
                b, c = list(g["bbox"]), g["category_id"]
                if corner not in ("grid", "perfect"): b = [float(np.round(v + rng.normal(0, 3), 2)) for v in b]; b[2], b[3] = max(b[2], 0.5), max(b[3], 0.5)
                elif corner == "grid": b[3] = float(rng.integers(10, 21) * 5)
            else: b, c = box(rng, corner), int(rng.choice([3, 7, 90]))
            score = float(rng.choice([0.1, 0.5, 0.9])) if corner in ("ties", "grid") else float(np.round(rng.random(), 6))
            dts.append({"image_id": image["id"], "category_id": c, "bbox": b, "score": score})
    return corner, {"images": images, "categories": classes, "annotations": gts}, dts


def digest(a): return hashlib.sha256(np.ascontiguousarray(a, dtype="<f8").tobytes()).hexdigest()


cases = []
for seed in range(240):
    corner, truth, dts = case(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(); gt.dataset = json.loads(json.dumps(truth)); gt.createIndex()
        if dts: dt = gt.loadRes(json.loads(json.dumps(dts)))
        else: dt = COCO(); dt.dataset = {"images": truth["images"], "categories": truth["categories"], "annotations": []}; dt.createIndex()
        e = COCOeval(gt, dt, "bbox"); e.evaluate(); e.accumulate(); e.summarize()
    cases.append({"corner": corner, "truth": truth, "detections": dts, "stats": [float(v) for v in e.stats],
                  "precision": digest(e.eval["precision"]), "recall": digest(e.eval["recall"])})
with gzip.GzipFile("test/evaluation/golden/coco.json.gz", "wb", mtime=0) as f: f.write(json.dumps(cases, separators=(",", ":")).encode())
