"""Writes a COCO set as YOLO (data.yaml, labels of 6 decimals) and as Pascal VOC (edges of 2 decimals), to compare AP between formats.

Crowds are left out, since neither format has them, and areas become those of boxes: OUT/coco.json is the same set in COCO.
    python bench/convert-set.py ANNOTATIONS.json IMAGES OUT
    int8-gate evaluate -c …   with validation.annotations OUT/coco.json (images: IMAGES), OUT/yolo/data.yaml, OUT/voc
"""
import json, os, sys
from xml.sax.saxutils import escape

source, images, out = sys.argv[1], os.path.abspath(sys.argv[2]), sys.argv[3]
coco = json.load(open(source))
names = {c["id"]: c["name"] for c in coco["categories"]}
index = {id: i for i, id in enumerate(sorted(names))}
coco["annotations"] = [a for a in coco["annotations"] if not a.get("iscrowd")]
boxes = {image["id"]: [] for image in coco["images"]}
for a in coco["annotations"]:
    a["area"] = a["bbox"][2] * a["bbox"][3]
    boxes[a["image_id"]].append(a)
for folder in ("yolo/images/val", "yolo/labels/val", "voc/JPEGImages", "voc/Annotations"):
    os.makedirs(f"{out}/{folder}")
json.dump(coco, open(f"{out}/coco.json", "w"))
with open(f"{out}/yolo/data.yaml", "w") as yaml:
    yaml.write("path: .\nval: images/val\nnames:\n" + "".join(f"  {i}: {json.dumps(names[id])}\n" for id, i in index.items()))
for image in coco["images"]:
    w, h, name = image["width"], image["height"], image["file_name"]
    stem = os.path.splitext(name)[0]
    for folder in ("yolo/images/val", "voc/JPEGImages"):
        os.symlink(f"{images}/{name}", f"{out}/{folder}/{name}")
    rows, objects = "", ""
    for a in boxes[image["id"]]:
        x, y, bw, bh = a["bbox"]
        rows += f"{index[a['category_id']]} {(x + bw / 2) / w:.6f} {(y + bh / 2) / h:.6f} {bw / w:.6f} {bh / h:.6f}\n"
        edges = zip(("xmin", "ymin", "xmax", "ymax"), (x + 1, y + 1, x + bw, y + bh))
        objects += f"<object><name>{escape(names[a['category_id']])}</name><difficult>0</difficult><bndbox>" + "".join(f"<{k}>{v:.2f}</{k}>" for k, v in edges) + "</bndbox></object>\n"
    open(f"{out}/yolo/labels/val/{stem}.txt", "w").write(rows)
    open(f"{out}/voc/Annotations/{stem}.xml", "w").write(f"<annotation>\n<filename>{escape(name)}</filename>\n<size><width>{w}</width><height>{h}</height><depth>3</depth></size>\n{objects}</annotation>\n")
