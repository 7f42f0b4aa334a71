"""Runs voc_eval.py of py-faster-rcnn (lib/datasets/voc_eval.py, Python 2) over generated cases. Writes test/evaluation/golden/voc.json.gz.

Run with numpy and a Python that still has lib2to3: python test/oracles/voc.py path/to/voc_eval.py
"""
import contextlib, gzip, io, json, os, sys, tempfile
from lib2to3.refactor import RefactoringTool, get_fixers_from_package
import numpy as np

source = str(RefactoringTool(get_fixers_from_package("lib2to3.fixes")).refactor_string(open(sys.argv[1]).read(), "voc_eval.py"))
source = source.replace("np.bool)", "bool)").replace("(cachefile, 'w')", "(cachefile, 'wb')").replace("(cachefile, 'r')", "(cachefile, 'rb')")
reference = {}
exec(source, reference)


def case(seed):
    """Whole-pixel boxes, as VOC has; detections on quarters of a pixel; scores unique, as the reference's sort is not stable."""
    rng = np.random.default_rng(seed)
    images = [{"id": i + 1, "file_name": f"{i}"} for i in range(8)]
    classes = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    gts, dts = [], []
    for image in images:
        for _ in range(int(rng.integers(0, 5 if seed % 3 else 30))):
            b = [float(v) for v in rng.integers([0, 0, 5, 5], [200, 200, 120, 120])]
            gts.append({"id": len(gts) + 1, "image_id": image["id"], "category_id": int(rng.integers(1, 3)), "bbox": b, "area": b[2] * b[3], "iscrowd": int(rng.random() < 0.2)})
        mine = [g for g in gts if g["image_id"] == image["id"]]
        for _ in range(int(rng.integers(1, 12 if seed % 3 else 150))):
            g = mine[rng.integers(len(mine))] if mine and rng.random() < 0.8 else None
            b = [float(v) for v in rng.integers([0, 0, 5, 5], [200, 200, 120, 120])] if g is None else [max(v + float(rng.integers(-40, 41)) / 4, 1.0) for v in g["bbox"]]
            if g is not None and rng.random() < 0.2: b = [g["bbox"][0], g["bbox"][1], g["bbox"][2], g["bbox"][3] * 2]  # an IoU of exactly 0.5
            dts.append({"image_id": image["id"], "category_id": g["category_id"] if g else int(rng.integers(1, 3)), "bbox": b})
    for d, score in zip(dts, rng.permutation(len(dts))): d["score"] = float(score + 1) / (len(dts) + 1)
    for c in (1, 2):  # the reference divides by the count of boxes and wants a detection
        gts.append({"id": len(gts) + 1, "image_id": 1, "category_id": c, "bbox": [0.0, 0.0, 9.0, 9.0], "area": 81.0, "iscrowd": 0})
        dts.append({"image_id": 1, "category_id": c, "bbox": [0.0, 0.0, 9.0, 10.0 * c], "score": 0.99999})
    return {"images": images, "categories": classes, "annotations": gts}, dts


def corners(b): return [b[0], b[1], b[0] + b[2] - 1, b[1] + b[3] - 1]


def evaluate(truth, dts, iou):
    with tempfile.TemporaryDirectory() as at, contextlib.redirect_stdout(io.StringIO()):
        for image in truth["images"]:
            objects = "".join(f"<object><name>{truth['categories'][g['category_id'] - 1]['name']}</name><pose/><truncated>0</truncated><difficult>{g['iscrowd']}</difficult><bndbox>"
                              + "".join(f"<{k}>{int(v)}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), corners(g["bbox"]))) + "</bndbox></object>"
                              for g in truth["annotations"] if g["image_id"] == image["id"])
            open(f"{at}/{image['id']}.xml", "w").write(f"<annotation>{objects}</annotation>")
        open(f"{at}/set.txt", "w").write("\n".join(str(image["id"]) for image in truth["images"]))
        for c in truth["categories"]:
            open(f"{at}/{c['name']}.txt", "w").write("\n".join(" ".join(repr(v) for v in [d["image_id"], d["score"], *corners(d["bbox"])]) for d in dts if d["category_id"] == c["id"]))
        return {metric: [float(reference["voc_eval"](at + "/{}.txt", at + "/{}.xml", f"{at}/set.txt", c["name"], f"{at}/cache", iou, metric == "voc07")[2]) for c in truth["categories"]]
                for metric in ("voc07", "voc")}


cases = []
for seed in range(48):
    truth, dts = case(seed)
    iou = [0.5, 0.5, 0.75, 0.3][seed % 4]
    cases.append({"truth": truth, "detections": dts, "iou": iou, **evaluate(truth, dts, iou)})
with gzip.GzipFile("test/evaluation/golden/voc.json.gz", "wb", mtime=0) as f: f.write(json.dumps(cases, separators=(",", ":")).encode())
