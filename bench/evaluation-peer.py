"""One peer on gt.json and dt.json of a folder: python bench/evaluation-peer.py pycocotools|faster-coco-eval|hotcoco FOLDER

Prints seconds of loading and of evaluating, peak memory in MiB and the 12 numbers as one line of JSON.
"""
import contextlib, io, json, os, resource, sys, time

name, folder = sys.argv[1:3]
if name == "pycocotools":
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
elif name == "faster-coco-eval":
    from faster_coco_eval import COCO, COCOeval_faster as COCOeval
else:
    from hotcoco import COCO, COCOeval

with contextlib.redirect_stdout(io.StringIO()):
    start = time.perf_counter()
    truth = COCO(f"{folder}/gt.json")
    detections = truth.load_res(f"{folder}/dt.json") if name == "hotcoco" else truth.loadRes(f"{folder}/dt.json")
    loaded = time.perf_counter()
    evaluation = COCOeval(truth, detections, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    end = time.perf_counter()
print(json.dumps({"load": loaded - start, "evaluate": end - loaded, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                  "cpu": sum(os.times()[:2]), "stats": [float(v) for v in evaluation.stats][:12]}))
