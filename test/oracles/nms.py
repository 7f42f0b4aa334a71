"""Records what torchvision keeps: nms class by class, and batched_nms where it goes class by class too (more than 4,000
numbers on a CPU) or where its shift of classes is exact (whole coordinates).
Usage: pip install torch torchvision numpy; python test/oracles/nms.py > test/detection/golden/nms.json"""
import json
import sys

import numpy as np
import torch
import torchvision
from torchvision.ops import batched_nms, nms

rng = np.random.default_rng(5)
f = np.float32
cases = []


def record(name, corners, scores, classes, limit, batched):
    boxes, points = torch.tensor(corners, dtype=torch.float32), torch.tensor(scores, dtype=torch.float32)
    labels = torch.tensor(classes, dtype=torch.int64)
    kept = []
    for c in labels.unique():
        where = (labels == c).nonzero()[:, 0]
        kept += where[nms(boxes[where], points[where], limit)].tolist()
    # Of one class the order is torchvision's; among classes it leaves equal scores in any order.
    kept.sort(key=lambda i: (-float(points[i]), i))
    if batched:
        assert sorted(batched_nms(boxes, points, labels, limit).tolist()) == sorted(kept), name
    if len(set(classes)) == 1:
        assert nms(boxes, points, limit).tolist() == kept, name
    cases.append({"name": name, "limit": limit, "corners": boxes.double().ravel().tolist(), "classes": labels.tolist(),
                  "scores": points.double().tolist(), "kept": kept})


# Boxes of whole coordinates, many ties in score, many without area.
for n, limit in [(1, 0.5), (40, 0.5), (120, 0.6), (200, 0.3), (1100, 0.7)]:
    corner = rng.integers(0, 24 if n < 1000 else 90, (n, 2)).astype(f)
    boxes = np.concatenate([corner, corner + rng.integers(0, 12, (n, 2)).astype(f)], 1)
    record(f"{n} boxes, ties, no area", boxes, rng.integers(0, 10, n) / 10, rng.integers(0, 3, n).tolist(), limit, True)
# The same with coordinates that float32 rounds.
corner = rng.integers(0, 24, (120, 2)).astype(f)
boxes = np.concatenate([corner, corner + rng.integers(0, 12, (120, 2)).astype(f)], 1) * f(1.1)
record("rounded coordinates", boxes, rng.integers(0, 10, 120) / 10, rng.integers(0, 3, 120).tolist(), 0.7, False)
# Corners the wrong way round: negative widths, and negative areas of both signs.
boxes = rng.integers(-12, 12, (150, 4)).astype(f)
record("corners in any order", boxes, rng.random(150).astype(f), rng.integers(0, 2, 150).tolist(), 0.5, False)
# IoU of a tenths exactly: float32 lies above or below the double limit, and only above is dropped.
for tenth in range(1, 10):
    boxes = np.array([[0, 0, 10, 1], [0, 0, tenth, 1], [20, 0, 30, 1], [20, 0, 20 + tenth, 1]], f)
    record(f"IoU equal to {tenth / 10}", boxes, [0.9, 0.8, 0.7, 0.7], [0, 0, 1, 1], tenth / 10, True)
record("one third", np.array([[0, 0, 3, 1], [0, 0, 1, 1]], f), [0.5, 0.5], [0, 0], 1 / 3, True)
# Extremes of limit and score.
corner = rng.integers(0, 9, (60, 2)).astype(f)
boxes = np.concatenate([corner, corner + rng.integers(1, 5, (60, 2)).astype(f)], 1)
for limit in [0.0, 1.0]:
    record(f"limit {limit}", boxes, rng.integers(-2, 2, 60) / 2, [0] * 60, limit, True)
print(f"torchvision {torchvision.__version__}, torch {torch.__version__}", file=sys.stderr)
print(json.dumps(cases))
