/** Columns that grow: annotations and detections while they are read or made. */
import type { AnnotationTable, DetectionTable } from './types.js';

type Column = Int32Array | Float64Array | Uint8Array;

function grown<T extends Column>(old: T, length: number): T {
  const fresh = new (old.constructor as new (length: number) => T)(length);
  fresh.set(old);
  return fresh;
}

/** Collects detections in the order in which they are pushed. */
export class DetectionBuilder {
  private size = 0;
  private capacity = 1024;
  private image = new Int32Array(this.capacity);
  private category = new Int32Array(this.capacity);
  private bbox = new Float64Array(this.capacity * 4);
  private score = new Float64Array(this.capacity);

  /** Detections pushed so far. */
  get count(): number {
    return this.size;
  }

  /**
   * Adds a detection.
   * @param image - index into the images of the ground truth
   * @param category - index into its categories
   * @param x - left edge in pixels of the original image; y, w, h likewise
   */
  push(image: number, category: number, x: number, y: number, w: number, h: number, score: number): void {
    if (this.size === this.capacity) this.grow();
    const at = this.size++;
    this.image[at] = image;
    this.category[at] = category;
    this.bbox[at * 4] = x;
    this.bbox[at * 4 + 1] = y;
    this.bbox[at * 4 + 2] = w;
    this.bbox[at * 4 + 3] = h;
    this.score[at] = score;
  }

  /** The table so far; later pushes do not change it. */
  finish(): DetectionTable {
    return {
      count: this.size,
      image: this.image.slice(0, this.size),
      category: this.category.slice(0, this.size),
      bbox: this.bbox.slice(0, this.size * 4),
      score: this.score.slice(0, this.size),
    };
  }

  private grow(): void {
    this.capacity *= 2;
    this.image = grown(this.image, this.capacity);
    this.category = grown(this.category, this.capacity);
    this.bbox = grown(this.bbox, this.capacity * 4);
    this.score = grown(this.score, this.capacity);
  }
}

/** One annotation on its way into the table. */
export interface AnnotationRow {
  readonly image: number;
  readonly category: number;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly area: number;
  readonly crowd: boolean;
  readonly ignore: boolean;
  readonly id: number;
}

/** Turns rows into columns. */
export function annotationTable(rows: readonly AnnotationRow[]): AnnotationTable {
  const count = rows.length;
  const table = {
    count,
    image: new Int32Array(count),
    category: new Int32Array(count),
    bbox: new Float64Array(count * 4),
    area: new Float64Array(count),
    crowd: new Uint8Array(count),
    ignore: new Uint8Array(count),
    id: new Float64Array(count),
  };
  rows.forEach((row, i) => {
    table.image[i] = row.image;
    table.category[i] = row.category;
    table.bbox.set([row.x, row.y, row.w, row.h], i * 4);
    table.area[i] = row.area;
    table.crowd[i] = row.crowd ? 1 : 0;
    table.ignore[i] = row.ignore ? 1 : 0;
    table.id[i] = row.id;
  });
  return table;
}
