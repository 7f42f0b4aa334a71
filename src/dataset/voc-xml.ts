/** The text of a Pascal VOC annotation file. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { messageOf } from '../faults/index.js';
import type { Problems } from './problems.js';
import { show } from './problems.js';
import { isObject, type JsonObject } from './records.js';

/** A marked object; the box in pixels, its left and top edge counted from 0. */
export interface VocObject {
  /** Line of the object's tag. */
  readonly line: number;
  readonly name: string;
  readonly difficult: boolean;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  /** Whether the box begins at 0, which VOC, counting from 1, does not have. */
  readonly fromZero: boolean;
}

/** An annotation file. */
export interface VocFile {
  /** Undefined when the file does not say. */
  readonly filename: string | undefined;
  /** 0 when the file does not say. */
  readonly width: number;
  readonly height: number;
  readonly objects: readonly VocObject[];
}

const parser = new XMLParser({
  captureMetaData: true, // where a tag begins
  parseTagValue: false,
  ignoreDeclaration: true,
  isArray: (name) => name === 'object',
});
const START = XMLParser.getMetaDataSymbol() as unknown as symbol;

/**
 * Reads one annotation file; mistakes are noted by line and key.
 *
 * `bndbox` counts pixels from 1 and includes the last one, as the VOC devkit has it: the box from 1 to 10 begins at 0
 * and is 10 wide.
 */
export function parseVoc(text: string, file: string, problems: Problems): VocFile | undefined {
  const xml = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  // Entities of a file's own can expand without end, and no annotation needs them.
  if (/<!DOCTYPE|<!ENTITY/i.test(xml)) {
    problems.add(
      file,
      'declares a document type, which annotations have no use for',
      'Remove the declaration.',
    );
    return undefined;
  }
  const top = parseXml(xml, file, problems);
  if (top === undefined) return undefined;
  const reader = new XmlReader(xml, file, problems);
  const size = isObject(top['size']) ? top['size'] : {};
  const objects = Array.isArray(top['object']) ? (top['object'] as unknown[]) : [];
  return {
    filename: typeof top['filename'] === 'string' && top['filename'] !== '' ? top['filename'] : undefined,
    width: reader.pixels(size, 'width'),
    height: reader.pixels(size, 'height'),
    objects: objects.map((object, i) => reader.object(object, i)).filter((found) => found !== undefined),
  };
}

const WRITE_AGAIN = 'Correct it, or export the annotations again.';

function parseXml(xml: string, file: string, problems: Problems): JsonObject | undefined {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) {
    const { line, col, msg } = valid.err;
    problems.add(
      `${file}:${line}${Number.isFinite(col) ? `:${col}` : ''}`,
      `is no valid XML: ${msg}`,
      WRITE_AGAIN,
    );
    return undefined;
  }
  try {
    const { annotation } = parser.parse(xml) as { readonly annotation?: unknown };
    if (isObject(annotation)) return annotation;
    problems.add(file, 'has no element `annotation` with content, as Pascal VOC files have', WRITE_AGAIN);
  } catch (error) {
    problems.add(file, `is no XML that can be read: ${messageOf(error)}`, WRITE_AGAIN);
  }
  return undefined;
}

class XmlReader {
  constructor(
    private readonly xml: string,
    private readonly file: string,
    private readonly problems: Problems,
  ) {}

  /** A size in pixels; 0 when it is missing. */
  pixels(size: JsonObject, key: string): number {
    const text = size[key];
    if (text === undefined || text === '') return 0;
    const value = numberOf(text);
    if (Number.isInteger(value) && value >= 0) return value;
    this.problems.add(`${this.file} size.${key}`, `must be a whole number of pixels, is ${show(text)}`);
    return 0;
  }

  object(object: unknown, index: number): VocObject | undefined {
    const line = this.lineOf(object);
    const place = `${this.file}:${line} object[${index}]`;
    const wrong = (key: string, what: string, fix?: string): undefined =>
      void this.problems.add(`${place}${key}`, what, fix);
    if (!isObject(object)) return wrong('', 'is empty');
    const { name, difficult, bndbox } = object;
    if (typeof name !== 'string' || name === '')
      return wrong('.name', 'is missing', 'Every object has the name of a class.');
    if (!isObject(bndbox)) return wrong('.bndbox', 'is missing', 'Only boxes can be evaluated.');
    if (difficult !== undefined && difficult !== '0' && difficult !== '1' && difficult !== '')
      return wrong('.difficult', `must be 0 or 1, is ${show(difficult)}`);
    const edges = ['xmin', 'ymin', 'xmax', 'ymax'].map((key) => {
      const value = numberOf(bndbox[key]);
      if (Number.isFinite(value)) return value;
      const what = bndbox[key] === undefined ? 'is missing' : `must be a number, is ${show(bndbox[key])}`;
      wrong(`.bndbox.${key}`, what);
      return NaN;
    });
    if (edges.some(Number.isNaN)) return undefined;
    const [xmin, ymin, xmax, ymax] = edges as [number, number, number, number];
    if (xmax < xmin || ymax < ymin)
      return wrong(
        '.bndbox',
        `ends before it begins: ${xmin}…${xmax}, ${ymin}…${ymax}`,
        'Correct or remove the object.',
      );
    return {
      line,
      name,
      difficult: difficult === '1',
      x: xmin - 1,
      y: ymin - 1,
      w: xmax - xmin + 1,
      h: ymax - ymin + 1,
      fromZero: xmin < 1 || ymin < 1,
    };
  }

  private lineOf(object: unknown): number {
    const start = isObject(object)
      ? ((object as Record<symbol, { startIndex?: number }>)[START]?.startIndex ?? 0)
      : 0;
    let line = 1;
    for (let at = this.xml.indexOf('\n'); at >= 0 && at < start; at = this.xml.indexOf('\n', at + 1)) line++;
    return line;
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'string' && /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value)
    ? Number(value)
    : NaN;
}
