"""Runs pycocotools over small generated cases full of corners, and over large sets that bench/make-coco-set.ts makes.

Writes coco.json.gz and coco-large.json to test/evaluation/golden/.

Run with pycocotools and numpy: python test/oracles/coco.py
"""
import contextlib, gzip, hashlib, io, json, subprocess, tempfile
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


MORE = ["zero-id", "repeated-ids", "hundreds", "absent-classes", "one-sided-images", "all-crowd", "slivers", "beyond-areas", "odd-scores", "cubes"]


def more(seed):
    """Corners that case() leaves out."""
    rng = np.random.default_rng(seed)
    corner = MORE[seed % len(MORE)]
    images = [{"id": int(i), "width": 640, "height": 640} for i in rng.permutation(np.arange(0, 2 if corner == "hundreds" else 10)) * 3]
    classes = [{"id": int(c), "name": f"c{c}"} for c in rng.permutation([0, 5, 6, 1000])]
    used = [5] if corner == "absent-classes" else [0, 5, 6]
    gts, dts = [], []
    for n, image in enumerate(images):
        for _ in range(int(rng.integers(1, 6))):
            if corner == "one-sided-images" and n % 3 == 0: continue
            b = [float(v) for v in np.round(rng.random(4) * [300, 300, 120, 120] * 4) / 4]
            if corner == "slivers": b[2 + rng.integers(2)] = float(rng.choice([0, 0.25, 1e-9]))
            if corner == "beyond-areas": b = [v * 1000 for v in b]
            if corner == "cubes": b = [float(32 * v) for v in rng.integers(0, 3, 2)] + [float(rng.choice([32, 96]))] * 2
            gts.append({"id": len(gts) + 1, "image_id": image["id"], "category_id": int(rng.choice(used)), "bbox": b,
                        "area": b[2] * b[3], "iscrowd": int(rng.random() < (1 if corner == "all-crowd" else 0.1))})
            if corner == "repeated-ids" and rng.random() < 0.3 and len(gts) > 1: gts[-1]["id"] = gts[rng.integers(len(gts) - 1)]["id"]
            if corner == "zero-id" and seed % 4 == 0: gts[-1]["iscrowd"] = int(rng.random() < 0.4)
    if corner == "zero-id":  # one box of id 0, not the first of its image
        zero = int(rng.integers(len(gts)))
        for i, g in enumerate(gts): g["id"] = 0 if i == zero else i + 50
    for n, image in enumerate(images):
        if corner == "one-sided-images" and n % 3 == 1: continue
        mine = [g for g in gts if g["image_id"] == image["id"]]
        for _ in range(420 if corner == "hundreds" else int(rng.integers(2, 12))):
            g = mine[rng.integers(len(mine))] if mine and rng.random() < 0.8 else None
            b = [float(v) for v in np.round(rng.random(4) * [300, 300, 120, 120] * 4) / 4] if g is None else list(g["bbox"])
            if g is not None and corner not in ("slivers", "cubes") and rng.random() < 0.7: b[rng.integers(4)] += float(rng.integers(0, 12)) / 4 * max(b[2], 1) / 32
            score = float(np.round(rng.random(), 1 if corner in ("hundreds", "cubes", "repeated-ids") else 6))
            if corner == "odd-scores": score = float(rng.choice([-1.5, -0.0, 0.0, 1e-320, 5e300, -2e-308, 7.0, 1 / 3]))
            dts.append({"image_id": image["id"], "category_id": g["category_id"] if g and rng.random() < 0.9 else int(rng.choice([0, 5, 6, 1000])), "bbox": b, "score": score})
    return corner, {"images": images, "categories": classes, "annotations": gts}, dts


# Made by bench/make-coco-set.ts and too large to keep: images, boxes, classes, detections, seed, crowds, levels.
LARGE = [(500, 3678, 80, 25000, 11, 0.012, 0), (60, 9000, 3, 30000, 12, 0.05, 50), (400, 3000, 12, 20000, 13, 0.4, 0),
         (300, 2500, 400, 20000, 14, 0.0, 5), (2000, 15000, 80, 60000, 15, 0.012, 1000)]
NAMES = ["images", "boxes", "classes", "detections", "seed", "crowds", "levels"]


def evaluate(truth, dts):
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO(); gt.dataset = truth; gt.createIndex()
        if dts: dt = gt.loadRes(dts)
        else: dt = COCO(); dt.dataset = {"images": truth["images"], "categories": truth["categories"], "annotations": []}; dt.createIndex()
        e = COCOeval(gt, dt, "bbox"); e.evaluate(); e.accumulate(); e.summarize()
    return {"stats": [float(v) for v in e.stats], "precision": digest(e.eval["precision"]), "recall": digest(e.eval["recall"])}


def copy(value): return json.loads(json.dumps(value))


cases = []
for corner, truth, dts in [case(seed) for seed in range(240)] + [more(seed) for seed in range(1000, 1120)]:
    one = {"corner": corner, "truth": truth, "detections": dts, **evaluate(copy(truth), copy(dts))}
    if corner in ("zero-id", "repeated-ids"): one["ids"] = "pycocotools"
    cases.append(one)
    if corner == "zero-id":  # what the numbers are when 0 is an id like any other
        named = copy(truth)
        for i, g in enumerate(named["annotations"]): g["id"] = i + 1
        cases.append({**cases[-1], "corner": "zero-id, distinct", "ids": "distinct", **evaluate(named, copy(dts))})
with gzip.GzipFile("test/evaluation/golden/coco.json.gz", "wb", mtime=0) as f: f.write(json.dumps(cases, separators=(",", ":")).encode())

large = []
for size in LARGE:
    options = dict(zip(NAMES, size))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["node", "bench/run.mjs", "make-coco-set", "--out", folder, *[f"--{k}={v}" for k, v in options.items()]], check=True)
        truth, dts = json.load(open(f"{folder}/gt.json")), json.load(open(f"{folder}/dt.json"))
    large.append({"size": options, **evaluate(truth, dts)})
with open("test/evaluation/golden/coco-large.json", "w") as f: json.dump(large, f, indent=2); f.write("\n")
