import type { Problems } from './problems.js';
import type { GroundTruth, ImageRecord } from './types.js';

/** From so many boxes on, what all of them have in common is no chance. */
const ENOUGH = 5;

/** Notes COCO boxes that were written as other formats write them: as shares of the image, or as two corners. */
export function noteUnits({ source, images, annotations }: GroundTruth, problems: Problems): void {
  const { bbox, image, count } = annotations;
  if (count < ENOUGH) return;
  let [shares, corners, beyond] = [0, 0, 0];
  for (let row = 0; row < count; row++) {
    const { width, height } = images[image[row] as number] as ImageRecord;
    const [x, y, w, h] = bbox.subarray(4 * row, 4 * row + 4) as unknown as [number, number, number, number];
    if (Math.max(x, y, w, h) <= 1) shares++;
    if (w > x && h > y) corners++;
    if (x + w > width + 1 || y + h > height + 1) beyond++;
  }
  if (shares === count)
    problems.add(
      `${source} annotations[].bbox`,
      `all ${count} boxes lie within 0…1, as shares of the image do; COCO counts in pixels`,
      'Multiply x and width by the width of the image, y and height by its height. (A YOLO data.yaml can be named as it is.)',
    );
  else if (corners === count && beyond > count / 2)
    problems.add(
      `${source} annotations[].bbox`,
      `${beyond} of ${count} boxes reach beyond their image and every one is wider than its x, as corners [x1, y1, x2, y2] are; COCO has [x, y, width, height]`,
      'Write the width x2 − x1 and the height y2 − y1 in place of x2 and y2.',
    );
}
