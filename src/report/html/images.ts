import type { Report, WorstImage } from '../types.js';
import { html, px, type Content, type Markup } from './markup.js';
import type { Section } from './section.js';

type Box = WorstImage['truth'][number];
/** Where two boxes of one class are one object. */
const SAME = 0.5;

/** The images that lose most, as FP32 sees them, as INT8 sees them, and as they are labelled. */
export function imagesSection({ worstImages, data }: Report): Section | undefined {
  if (worstImages === undefined) return undefined;
  const { affected, images, score } = worstImages;
  return {
    id: 'images',
    title: 'Images',
    body: html`<p>
        ${
          affected === 0
            ? `On none of ${data.validation.images} images does INT8 lose an object that FP32 finds, or show more that is not there.`
            : `${affected} of ${data.validation.images} images lose an object in INT8 or gain a false one (score ${score} or more, IoU 0.5). ${images.length === 0 ? 'Pictures were not asked for (report.images).' : `The worst ${images.length} are shown; a dashed box is one that the other precision does not find (in INT8: a new one).`}`
        }
      </p>
      ${images.map(picture)}`,
  };
}

function picture(image: WorstImage, i: number): Markup {
  const { name, width, height, objects, lost, added, truth, fp32, int8, thumbnail } = image;
  const view = `0 0 ${width} ${height}`;
  const panels: readonly (readonly [string, string, readonly Box[], readonly Box[]])[] = [
    ['FP32', 'fp32', fp32, int8],
    ['INT8', 'int8', int8, fp32],
    ['truth', 'truth', truth, truth],
  ];
  const words = [
    `${objects} ${objects === 1 ? 'object' : 'objects'}`,
    ...(lost > 0 ? [`${lost} lost in INT8`] : []),
    ...(added > 0 ? [`${added} more false ${added === 1 ? 'detection' : 'detections'}`] : []),
  ].join(', ');
  return html`<article class="picture">
    <h3><span class="name">${name}</span> <small>${words}</small></h3>
    ${
      thumbnail === undefined
        ? undefined
        : html`<svg class="hidden" aria-hidden="true">
            <symbol id="image-${i}" viewBox="${view}">
              <image
                href="data:image/jpeg;base64,${thumbnail}"
                width="${width}"
                height="${height}"
                preserveAspectRatio="none"
              />
            </symbol>
          </svg>`
    }
    <div class="grid3">
      ${panels.map(
        ([title, kind, boxes, partners]) =>
          html`<figure>
            <figcaption>${title}: ${boxes.length}</figcaption>
            <svg
              class="photo"
              viewBox="${view}"
              role="img"
              aria-label="${title}: ${boxes.length} boxes on ${name}"
            >
              <rect class="ground" width="${width}" height="${height}" />
              ${thumbnail === undefined ? undefined : html`<use href="#image-${i}" width="${width}" height="${height}" />`}${boxes.map((box) => drawn(box, kind, partners, width))}
            </svg>
          </figure>`,
      )}
    </div>
  </article>`;
}

/** @param frame - width of the image */
function drawn(box: Box, kind: string, partners: readonly Box[], frame: number): Content {
  const [x, y, width, height] = box.box as [number, number, number, number];
  const alone = !partners.some((other) => other.class === box.class && overlap(box.box, other.box) >= SAME);
  const size = frame / 28;
  // A tag stands above its box, or inside where there is no room; near the right edge it grows to the left.
  const right = x > 0.7 * frame;
  const label = `${box.class}${box.score === undefined ? '' : ` ${box.score.toFixed(2)}`}`;
  return html`<g class="${kind}" font-size="${px(size)}"
    ><rect
      class="box${alone ? ' alone' : ''}"
      x="${px(x)}"
      y="${px(y)}"
      width="${px(width)}"
      height="${px(height)}"
      ><title>${label}</title></rect
    ><text
      class="tag${right ? ' end' : ''}"
      x="${px(right ? Math.min(frame, x + width) : Math.max(0, x))}"
      y="${px(y < 1.2 * size ? y + size : y - size / 4)}"
      >${label}</text
    ></g
  >`;
}

function overlap(a: readonly number[], b: readonly number[]): number {
  const [ax, ay, aw, ah] = a as [number, number, number, number];
  const [bx, by, bw, bh] = b as [number, number, number, number];
  const w = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const h = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  return w <= 0 || h <= 0 ? 0 : (w * h) / (aw * ah + bw * bh - w * h);
}
