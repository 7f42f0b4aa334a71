"""Records what cv2.imread and Pillow's convert('RGB') make of small image files of every kind.

Writes test/dataset/golden/decode.json. Run with opencv-python-headless, pillow and numpy: python test/oracles/decode.py
"""
import base64, io, json, struct
import cv2, numpy as np
from PIL import Image, ImageOps, __version__ as pil

rng = np.random.default_rng(11)
W, H = 9, 6
rgb = rng.integers(0, 256, (H, W, 3), dtype=np.uint8)
smooth = (np.add.outer(np.arange(H) * 9, np.arange(W) * 13)[..., None] + np.array([0, 60, 120])).clip(0, 255).astype(np.uint8)
alpha = rng.integers(0, 256, (H, W, 1), dtype=np.uint8)
wide = rng.integers(0, 65536, (H, W, 3), dtype=np.uint16)


def by_pillow(image, **how):
    out = io.BytesIO()
    image.save(out, **how)
    return out.getvalue()


def by_opencv(ending, array):
    return cv2.imencode(ending, array)[1].tobytes()


def bitmap(bits, rows, palette=b"", masks=b"", top_down=False):
    head = 54 + len(masks)
    info = struct.pack("<IiiHHIIiiII", 40, W, -H if top_down else H, 1, bits, 3 if masks else 0, 0, 0, 0, len(palette) // 4, 0)
    body = info + masks + palette + b"".join(rows)
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, head + len(palette)) + body


def padded(row):
    return row + b"\0" * (-len(row) % 4)


def bits_rows(bits):
    rows = []
    for _ in range(H):
        values = rng.integers(0, 2**bits, W)
        line = "".join(format(v, f"0{bits}b") for v in values)
        line += "0" * (-len(line) % 8)
        rows.append(padded(bytes(int(line[i:i + 8], 2) for i in range(0, len(line), 8))))
    return rows


def colours(n):
    return b"".join(bytes(c) + b"\0" for c in rng.integers(0, 256, (n, 3), dtype=np.uint8))


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return by_pillow(Image.fromarray(smooth), format="JPEG", quality=100, subsampling=0, exif=exif)


masks565 = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
files = {
    "JPEG": by_pillow(Image.fromarray(smooth), format="JPEG", quality=90),
    "grey JPEG": by_pillow(Image.fromarray(smooth[..., 0]), format="JPEG", quality=90),
    "progressive JPEG": by_pillow(Image.fromarray(smooth), format="JPEG", quality=80, progressive=True),
    "CMYK JPEG": by_pillow(Image.fromarray(rng.integers(0, 256, (H, W, 4), dtype=np.uint8), "CMYK"), format="JPEG", quality=100, subsampling=0),
    "PNG": by_pillow(Image.fromarray(rgb), format="PNG"),
    "grey PNG": by_pillow(Image.fromarray(rgb[..., 0]), format="PNG"),
    "black and white PNG": by_pillow(Image.fromarray(rgb[..., 0] > 127), format="PNG"),
    "grey PNG with alpha": by_pillow(Image.fromarray(np.dstack([rgb[..., :1], alpha]), "LA"), format="PNG"),
    "PNG with alpha": by_pillow(Image.fromarray(np.dstack([rgb, alpha]), "RGBA"), format="PNG"),
    "palette PNG": by_pillow(Image.fromarray(rgb).quantize(16), format="PNG"),
    "palette PNG with a transparent colour": by_pillow(Image.fromarray(rgb).quantize(16), format="PNG", transparency=3),
    "16-bit PNG": by_opencv(".png", wide),
    "grey 16-bit PNG": by_opencv(".png", wide[..., 0]),
    "16-bit TIFF": by_opencv(".tiff", wide),
    "TIFF": by_pillow(Image.fromarray(rgb), format="TIFF"),
    "WebP": by_pillow(Image.fromarray(rgb), format="WEBP", lossless=True),
    "GIF": by_pillow(Image.fromarray(rgb).quantize(32), format="GIF"),
    "BMP": by_pillow(Image.fromarray(rgb), format="BMP"),
    "BMP, top row first": bitmap(24, [padded(rgb[y].tobytes()) for y in range(H)], top_down=True),
    "BMP of 32 bits": bitmap(32, [np.dstack([rgb, alpha])[y].tobytes() for y in range(H)]),
    "BMP of 8 bits": bitmap(8, bits_rows(8), colours(256)),
    "BMP of 4 bits": bitmap(4, bits_rows(4), colours(16)),
    "BMP of 1 bit": bitmap(1, bits_rows(1), colours(2)),
    "BMP of 16 bits, 5-5-5": bitmap(16, bits_rows(16)),
    "BMP of 16 bits, 5-6-5": bitmap(16, bits_rows(16), masks=masks565),
    **{f"JPEG with EXIF orientation {o}": turned(o) for o in range(1, 9)},
}
b64 = lambda a: base64.b64encode(a if isinstance(a, bytes) else np.ascontiguousarray(a).tobytes()).decode()
cases = []
for name, data in files.items():
    opencv = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    pillow = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    case = {"name": name, "file": b64(data), "size": list(opencv.shape[1::-1]), "opencv": b64(opencv[..., ::-1])}
    for key, value in (("pillow", pillow), ("pillowTurned", shown)):
        if b64(value) != case["opencv"]:
            case[key] = b64(value)
    cases.append(case)
    print(f"{name:40}", opencv.shape, "pillow differs:", int(np.abs(shown.astype(int) - opencv[..., ::-1]).max()) if shown.shape == opencv.shape else shown.shape)
json.dump({"opencv": cv2.__version__, "pillow": pil, "cases": cases}, open("test/dataset/golden/decode.json", "w"))
