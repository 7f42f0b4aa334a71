/** A record of a COCO file, straight from its bytes: an annotation or a detection. */
import type { JsonScanner } from './scan.js';

/** What was found, used again for the next record. */
export interface ScannedRecord {
  /** By key: its number, NaN where the record has none. */
  readonly numbers: Float64Array;
  /** `[x, y, w, h]`. */
  readonly box: Float64Array;
  /** Which key is the box's. */
  readonly boxKey: number;
}

/** Room for a record with these keys, of which `bbox` is one. */
export function scannedRecord(names: readonly string[]): ScannedRecord {
  return {
    numbers: new Float64Array(names.length),
    box: new Float64Array(4),
    boxKey: names.indexOf('bbox'),
  };
}

/**
 * Scans the object at the cursor: one of the keys is `bbox`, all others hold numbers, what else is there is passed over.
 * Answers false where a known key holds something else or the box is missing; of a repeated key the last one counts.
 */
export function scanNumbersAndBox(
  scanner: JsonScanner,
  keys: readonly Buffer[],
  { numbers, box, boxKey }: ScannedRecord,
): boolean {
  numbers.fill(NaN);
  let plain = true;
  let boxed = false;
  scanner.open();
  for (let i = 0; scanner.next(i, false); i++) {
    const key = scanner.key(keys);
    if (key < 0) scanner.skip();
    else if (key === boxKey) {
      boxed = true;
      if (!scanBox(scanner, box)) plain = false;
    } else if (scanner.startsNumber) numbers[key] = scanner.number();
    else {
      scanner.skip();
      plain = false;
    }
  }
  return plain && boxed;
}

/** Scans a box into `box`; answers false (and has passed over the value) when it is none. */
function scanBox(scanner: JsonScanner, box: Float64Array): boolean {
  if (!scanner.startsList) {
    scanner.skip();
    return false;
  }
  scanner.open();
  let count = 0;
  let plain = true;
  for (; scanner.next(count, true); count++) {
    if (!scanner.startsNumber) {
      scanner.skip();
      plain = false;
      continue;
    }
    const value = scanner.number();
    if (count < 4) box[count] = value;
  }
  return plain && count === 4 && isBox(box);
}

/** Finite, with sizes that are not negative. */
function isBox(box: Float64Array): boolean {
  const [w, h] = [box[2] as number, box[3] as number];
  return w >= 0 && h >= 0 && Number.isFinite((box[0] as number) + (box[1] as number) + w * h);
}
