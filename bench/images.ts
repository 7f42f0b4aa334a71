/**
 * Speed of images on their way to the model, one core: header, decode, letterbox to 640 (OpenCV's bilinear) and
 * stretch to 640 (Pillow's). With a Python that has opencv-python-headless and pillow, the same steps there, the ratio,
 * and the number of images whose pixels differ.
 *
 *   node bench/run.mjs images FOLDER [PYTHON]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  decodeImage,
  listImages,
  prepareImage,
  readImageHeader,
  type PreprocessingSpec,
} from '../src/dataset/index.js';

const PEER = `
import sys, time, json, hashlib, cv2, numpy as np
from PIL import Image
cv2.setNumThreads(1)
files = json.load(sys.stdin)
seconds = dict(header=0.0, decode=0.0, letterbox=0.0, stretch=0.0); digests = []
def timed(name, job):
    start = time.perf_counter(); out = job(); seconds[name] += time.perf_counter() - start; return out
def letterbox(a):
    h, w = a.shape[:2]; r = min(640 / h, 640 / w); nw, nh = round(w * r), round(h * r)
    dw, dh = (640 - nw) / 2, (640 - nh) / 2
    if (w, h) != (nw, nh): a = cv2.resize(a, (nw, nh), interpolation=cv2.INTER_LINEAR)
    return cv2.copyMakeBorder(a, round(dh - .1), round(dh + .1), round(dw - .1), round(dw + .1), cv2.BORDER_CONSTANT, value=(114,) * 3)
for f in files:
    timed("header", lambda: Image.open(f).size)
    bgr = timed("decode", lambda: cv2.imread(f))
    box = timed("letterbox", lambda: letterbox(bgr))
    rgb = Image.fromarray(np.ascontiguousarray(bgr[..., ::-1]))
    flat = timed("stretch", lambda: np.asarray(rgb.resize((640, 640), Image.BILINEAR)))
    digests.append([hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest() for a in (bgr[..., ::-1], box[..., ::-1], flat)])
print(json.dumps(dict(seconds=seconds, digests=digests)))
`;

const base: PreprocessingSpec = {
  resize: 'letterbox',
  height: 640,
  width: 640,
  interpolation: 'opencv',
  color: 'rgb',
  pad: 114,
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  layout: 'nchw',
  dtype: 'float32',
  exif: true,
};
const STEPS = ['header', 'decode', 'letterbox', 'stretch'] as const;
type Seconds = Record<(typeof STEPS)[number], number>;

const [folder, python] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node bench/run.mjs images FOLDER [PYTHON]');
const files = (await listImages(folder)).map(({ file }) => file);
const seconds: Seconds = { header: 0, decode: 0, letterbox: 0, stretch: 0 };
async function timed<T>(step: keyof Seconds, job: () => T | Promise<T>): Promise<T> {
  const start = performance.now();
  const out = await job();
  seconds[step] += (performance.now() - start) / 1000;
  return out;
}
const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
const digests: string[][] = [];
for (const file of files) {
  await timed('header', () => readImageHeader(file));
  const image = await timed('decode', () => decodeImage(file, true));
  const boxed = await timed('letterbox', () => prepareImage(image, base));
  const flat = await timed('stretch', () =>
    prepareImage(image, { ...base, resize: 'stretch', interpolation: 'pil' }),
  );
  digests.push([image.data, boxed.pixels, flat.pixels].map(digest));
}

const peer = python === undefined ? undefined : runPeer(python);
console.log(`${files.length} images, milliseconds each`);
for (const step of STEPS) {
  const ours = (1000 * seconds[step]) / files.length;
  const theirs = peer && (1000 * peer.seconds[step]) / files.length;
  const compared = theirs && `   Python ${theirs.toFixed(2)}   ratio ${(ours / theirs).toFixed(2)}`;
  console.log(`${step.padEnd(10)} ${ours.toFixed(2)}${compared ?? ''}`);
}
if (peer !== undefined)
  ['decoded', 'letterboxed', 'stretched'].forEach((what, k) => {
    const differing = digests.filter((one, i) => one[k] !== peer.digests[i]?.[k]).length;
    console.log(`${what}: ${differing} of ${files.length} images differ`);
  });

function runPeer(command: string): { readonly seconds: Seconds; readonly digests: readonly string[][] } {
  const { stdout, status } = spawnSync(command, ['-c', PEER], {
    input: JSON.stringify(files),
    stdio: ['pipe', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${command} failed with status ${status ?? 'none'}`);
  return JSON.parse(stdout.toString()) as ReturnType<typeof runPeer>;
}
