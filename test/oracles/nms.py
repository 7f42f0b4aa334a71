"""Records what torchvision's nms keeps class by class, written out in numpy float32 (its CPU kernel):
falling score with a stable sort; dropped when float32 IoU with a kept box exceeds the double limit.
Usage: python test/oracles/nms.py > test/detection/golden/nms.json"""
import json
import numpy as np

rng = np.random.default_rng(5)
f = np.float32


def nms(boxes, scores, limit):
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept, gone = [], np.zeros(len(boxes), bool)
    for i in order:
        if gone[i]:
            continue
        kept.append(int(i))
        w = np.maximum(f(0), np.minimum(boxes[i, 2], boxes[:, 2]) - np.maximum(boxes[i, 0], boxes[:, 0]))
        h = np.maximum(f(0), np.minimum(boxes[i, 3], boxes[:, 3]) - np.maximum(boxes[i, 1], boxes[:, 1]))
        inter = w * h
        with np.errstate(invalid="ignore"):
            gone |= (inter / (areas[i] + areas - inter)).astype(np.float64) > limit
    return kept


cases = []
for n, limit in [(1, 0.5), (40, 0.5), (120, 0.6), (120, 0.7), (200, 0.3)]:
    corner = rng.integers(0, 24, (n, 2)).astype(f)
    boxes = np.concatenate([corner, corner + rng.integers(0, 12, (n, 2)).astype(f)], 1)
    if limit == 0.7:
        boxes = boxes * f(1.1)
    scores = (rng.integers(0, 10, n) / 10).astype(f)  # many ties
    classes = rng.integers(0, 3, n)
    kept = []
    for c in np.unique(classes):
        where = np.nonzero(classes == c)[0]
        kept += [int(where[k]) for k in nms(boxes[where], scores[where], limit)]
    kept.sort(key=lambda i: (-scores[i], i))
    cases.append(
        {"limit": limit, "corners": boxes.astype(float).ravel().tolist(), "classes": classes.tolist(),
         "scores": scores.astype(float).tolist(), "kept": kept}
    )
print(json.dumps(cases))
