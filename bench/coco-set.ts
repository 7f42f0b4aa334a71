/**
 * A made-up set with the statistics of COCO val2017: how many boxes an image holds, how uneven the classes are, how
 * large boxes are, how often a crowd is marked, and detections as a detector gives them at a low score limit.
 */
import { mulberry32 } from '../src/evaluation/numeric.js';

/** How large a set is, and what is unusual in it. */
export interface SetSize {
  readonly images: number;
  readonly boxes: number;
  readonly classes: number;
  readonly detections: number;
  readonly seed: number;
  /** Share of boxes that mark a crowd. */
  readonly crowds: number;
  /** Scores are rounded to this many levels, which makes ties; 0 = float32. */
  readonly levels: number;
}

/** COCO val2017. */
export const VAL2017: SetSize = {
  images: 5000,
  boxes: 36781,
  classes: 80,
  detections: 250_000,
  seed: 1,
  crowds: 0.012,
  levels: 0,
};

export interface Box {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: readonly number[];
}

export interface MadeSet {
  readonly truth: {
    readonly images: readonly {
      readonly id: number;
      readonly file_name: string;
      readonly width: number;
      readonly height: number;
    }[];
    readonly annotations: readonly (Box & {
      readonly id: number;
      readonly area: number;
      readonly iscrowd: number;
      readonly segmentation: readonly (readonly number[])[];
    })[];
    readonly categories: readonly { readonly id: number; readonly name: string }[];
  };
  readonly detections: readonly (Box & { readonly score: number })[];
}

const [WIDTH, HEIGHT] = [640, 480];

/** Makes a set; the same for the same size and seed on every machine. */
export function makeSet(size: SetSize): MadeSet {
  const random = mulberry32(size.seed);
  const images = Array.from({ length: size.images }, (_, i) => {
    const id = 1 + i * 116;
    return { id, file_name: `${String(id).padStart(12, '0')}.jpg`, width: WIDTH, height: HEIGHT };
  });
  // Ids with gaps, as COCO's own.
  const categories = Array.from({ length: size.classes }, (_, i) => ({
    id: i + 1 + Math.floor(i / 8),
    name: `class ${i}`,
  }));
  // One class in three boxes, then falling as 1 / rank.
  const pick = (): number =>
    random() < 0.3 ? 0 : Math.min(size.classes - 1, Math.floor(size.classes ** random()) - 1);
  // Few images hold most boxes; 1 in 100 holds none.
  const busy = images.map((_, i) => (i % 100 === 99 ? 0 : 0.15 + random() ** 3));
  const perImage = share(busy, size.boxes);
  const annotations: MadeSet['truth']['annotations'][number][] = [];
  const detections: MadeSet['detections'][number][] = [];
  const found = share(
    busy.map((weight) => weight + 0.3),
    size.detections,
  );
  images.forEach(({ id }, i) => {
    const mine: Box[] = [];
    const usual = pick();
    for (let n = 0; n < (perImage[i] as number); n++) {
      const bbox = randomBox(random);
      const [x, y, w, h] = bbox as [number, number, number, number];
      const box = {
        image_id: id,
        category_id: categories[random() < 0.6 ? usual : pick()]?.id as number,
        bbox,
        // An outline covers about 0.6 of its box.
        area: round(w * h * (0.4 + 0.4 * random()), 4),
        iscrowd: random() < size.crowds ? 1 : 0,
        segmentation: [
          Array.from({ length: 24 }, (_, k) => round(k % 2 === 0 ? x + w * random() : y + h * random(), 2)),
        ],
        id: 1000 + annotations.length * 7,
      };
      mine.push(box);
      annotations.push(box);
    }
    for (let n = 0; n < (found[i] as number); n++)
      detections.push(
        detect(random, id, mine, categories[random() < 0.5 ? usual : pick()]?.id as number, size.levels),
      );
  });
  return { truth: { images, annotations, categories }, detections };
}

/** Splits a whole number by weights, remainders to the first. */
function share(weights: readonly number[], total: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const parts = weights.map((weight) => Math.floor((weight / sum) * total));
  let rest = total - parts.reduce((a, b) => a + b, 0);
  for (let i = 0; rest > 0; i = (i + 1) % parts.length)
    if ((weights[i] as number) > 0) {
      parts[i] = (parts[i] as number) + 1;
      rest--;
    }
  return parts;
}

/** Four small boxes in ten, two and a half large ones. */
function randomBox(random: () => number): number[] {
  const side = 6 * 1.9 ** (7.2 * random());
  const ratio = 2 ** (2 * random() - 1);
  const w = Math.min(WIDTH - 1, side * ratio);
  const h = Math.min(HEIGHT - 1, side / ratio);
  return [(WIDTH - w) * random(), (HEIGHT - h) * random(), w, h].map((value) => round(value, 2));
}

/** Four detections in ten lie around a box, closer when the score is high. */
function detect(
  random: () => number,
  image_id: number,
  boxes: readonly Box[],
  category_id: number,
  levels: number,
): MadeSet['detections'][number] {
  const score = (confident: number): number => {
    const value = confident * random() ** 1.5 + 0.001;
    return levels > 0 ? Math.ceil(value * levels) / levels : Math.fround(value);
  };
  if (boxes.length === 0 || random() >= 0.4) {
    return { image_id, category_id, bbox: randomBox(random).map(Math.fround), score: score(0.6) };
  }
  const box = boxes[Math.floor(random() * boxes.length)] as Box;
  const [x, y, w, h] = box.bbox as [number, number, number, number];
  const shake = 0.35 * random() ** 2;
  const off = (length: number): number => length * shake * (2 * random() - 1);
  return {
    image_id,
    category_id: random() < 0.9 ? box.category_id : category_id,
    bbox: [x + off(w), y + off(h), w * (1 + off(1)), h * (1 + off(1))].map(Math.fround),
    score: score(0.999 - shake),
  };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
