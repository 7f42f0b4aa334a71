import { thumbnail, type ImageRecord } from '../../dataset/index.js';
import { contactSheet, type AuditSection } from '../../report/index.js';
import type { Bench } from '../prepare.js';

/** Longer side of a picture, pixels. */
const SIDE = 112;
/** A picture above this many bytes is left out: the report stays small. */
const BYTES = 12_000;
const QUALITY = 60;

type Pictures = NonNullable<AuditSection['pictures']>;

/** Small pictures of the images that the report's contact sheet shows. */
export async function pictured(
  section: AuditSection,
  { calibrationRecords, truth, spec }: Bench,
): Promise<Pictures> {
  const records = {
    calibration: byName(calibrationRecords),
    validation: byName(truth.images),
  };
  const pictures: Pictures = [];
  const taken = new Set<string>();
  for (const { set, name } of contactSheet(section).flatMap(({ images }) => images)) {
    const record = records[set].get(name);
    const key = `${set} ${name}`;
    if (record === undefined || taken.has(key)) continue;
    taken.add(key);
    const { jpeg } = await thumbnail(record.file, { side: SIDE, exif: spec.exif, quality: QUALITY });
    if (jpeg.length <= BYTES) pictures.push({ set, name, thumbnail: Buffer.from(jpeg).toString('base64') });
  }
  return pictures;
}

function byName(records: readonly ImageRecord[]): ReadonlyMap<string, ImageRecord> {
  return new Map(records.map((record) => [record.name, record]));
}
