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

/** Collects annotations in the order in which they are pushed. */
export class AnnotationBuilder {
  private size = 0;
  private capacity = 1024;
  private image = new Int32Array(this.capacity);
  private category = new Int32Array(this.capacity);
  private bbox = new Float64Array(this.capacity * 4);
  private area = new Float64Array(this.capacity);
  private crowd = new Uint8Array(this.capacity);
  private ignore = new Uint8Array(this.capacity);
  private id = new Float64Array(this.capacity);

  push(row: AnnotationRow): void {
    if (this.size === this.capacity) this.grow();
    const at = this.size++;
    this.image[at] = row.image;
    this.category[at] = row.category;
    this.bbox[at * 4] = row.x;
    this.bbox[at * 4 + 1] = row.y;
    this.bbox[at * 4 + 2] = row.w;
    this.bbox[at * 4 + 3] = row.h;
    this.area[at] = row.area;
    this.crowd[at] = row.crowd ? 1 : 0;
    this.ignore[at] = row.ignore ? 1 : 0;
    this.id[at] = row.id;
  }

  /** The table so far; later pushes do not change it. */
  finish(): AnnotationTable {
    const { size } = this;
    return {
      count: size,
      image: this.image.slice(0, size),
      category: this.category.slice(0, size),
      bbox: this.bbox.slice(0, size * 4),
      area: this.area.slice(0, size),
      crowd: this.crowd.slice(0, size),
      ignore: this.ignore.slice(0, size),
      id: this.id.slice(0, size),
    };
  }

  private grow(): void {
    this.capacity *= 2;
    this.image = grown(this.image, this.capacity);
    this.category = grown(this.category, this.capacity);
    this.bbox = grown(this.bbox, this.capacity * 4);
    this.area = grown(this.area, this.capacity);
    this.crowd = grown(this.crowd, this.capacity);
    this.ignore = grown(this.ignore, this.capacity);
    this.id = grown(this.id, this.capacity);
  }
}

/** Turns rows into columns. */
export function annotationTable(rows: readonly AnnotationRow[]): AnnotationTable {
  const builder = new AnnotationBuilder();
  for (const row of rows) builder.push(row);
  return builder.finish();
}
