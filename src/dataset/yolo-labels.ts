/** The text of a YOLO label file. */
import type { Problems } from './problems.js';

/** A row as a box, in fractions of the image's width and height. */
export interface YoloRow {
  /** Counted from 1. */
  readonly line: number;
  /** Index into the names. */
  readonly category: number;
  /** Left edge. */
  readonly x: number;
  /** Top edge. */
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** A label file. */
export interface YoloLabels {
  readonly rows: readonly YoloRow[];
  /** Rows left out since another says exactly the same. */
  readonly duplicates: number;
  /** Rows that are polygons, turned into their boxes. */
  readonly polygons: number;
}

/** How far a coordinate may lie outside the image, as a fraction, before it is taken for pixels: Ultralytics' tolerance. */
const TOLERANCE = 0.01;

/**
 * Reads `class x-centre y-centre width height` or `class x1 y1 x2 y2 x3 y3 …` rows; an empty text is an image without
 * objects. Each row is judged for itself, unlike in Ultralytics, where one polygon makes every row of the file one.
 * Mistakes are noted by line.
 * @param classes - how many names there are
 */
export function parseYoloLabels(text: string, file: string, classes: number, problems: Problems): YoloLabels {
  const rows: YoloRow[] = [];
  const seen = new Set<string>();
  let [duplicates, polygons] = [0, 0];
  text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .forEach((content, i) => {
      const fields = content.trim().split(/\s+/);
      if (fields[0] === '') return;
      const row = readRow(fields, `${file}:${i + 1}`, classes, problems);
      if (row === undefined) return;
      const key = fields.map(Number).join(' ');
      if (seen.has(key)) duplicates++;
      else {
        seen.add(key);
        if (fields.length > 5) polygons++;
        rows.push({ line: i + 1, ...row });
      }
    });
  return { rows, duplicates, polygons };
}

function readRow(
  fields: readonly string[],
  where: string,
  classes: number,
  problems: Problems,
): Omit<YoloRow, 'line'> | undefined {
  const wrong = (what: string, fix?: string): undefined => void problems.add(where, what, fix);
  const shape =
    'A row is `class x-centre y-centre width height`, or `class x1 y1 x2 y2 x3 y3 …` for a polygon.';
  if (fields.length === 6)
    return wrong('has 6 fields, as rows with a confidence: these are predictions, no labels', shape);
  if (fields.length < 5 || fields.length % 2 === 0)
    return wrong(`has ${fields.length} field${fields.length === 1 ? '' : 's'}`, shape);
  const numbers = fields.map((field) => (/^[-+.\deE]+$/.test(field) ? Number(field) : NaN));
  const odd = numbers.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0)
    return wrong(`field ${odd + 1} must be a number, is "${(fields[odd] as string).slice(0, 40)}"`, shape);
  const [category, ...values] = numbers as [number, ...number[]];
  if (!Number.isInteger(category) || category < 0 || category >= classes)
    return wrong(
      `class ${fields[0] ?? ''} is not in 0…${classes - 1}`,
      `There are ${classes} names; classes are counted from 0.`,
    );
  const far = values.find((value) => value < -TOLERANCE || value > 1 + TOLERANCE);
  if (far !== undefined)
    return wrong(
      `${far} lies outside 0…1`,
      'Coordinates are fractions of the image’s width and height, not pixels.',
    );
  const box = values.length === 4 ? boxOf(values as [number, number, number, number]) : hullOf(values);
  if (box.w <= 0 || box.h <= 0)
    return wrong(`the box is ${box.w}×${box.h}: it has no area`, 'Correct or remove the row.');
  return { category, ...box };
}

type Box = Pick<YoloRow, 'x' | 'y' | 'w' | 'h'>;

function boxOf([x, y, w, h]: readonly [number, number, number, number]): Box {
  return { x: x - w / 2, y: y - h / 2, w, h };
}

function hullOf(points: readonly number[]): Box {
  const xs = points.filter((_, i) => i % 2 === 0);
  const ys = points.filter((_, i) => i % 2 === 1);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y };
}
