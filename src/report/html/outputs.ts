import { percent, signed } from '../numbers.js';
import type { PictureSections, Report } from '../types.js';
import { chart, countPlace, countSteps, shortNumber, steps, type Axis } from './axes.js';
import { html, path, type Content, type Markup } from './markup.js';
import type { Section } from './section.js';
import { variantLegend } from './precision.js';

type Curve = NonNullable<PictureSections['curves']>[number];
type Distributions = NonNullable<PictureSections['distributions']>;

/** Classes whose curve is drawn: those whose INT8 curve moved most. */
const CLASSES = 12;
const UNIT: Axis = { label: '', from: 0, to: 1, ticks: steps(0, 1, 5) };

/** Precision over recall, and how scores and sizes of boxes are spread. */
export function outputsSection({ curves = [], distributions, variants }: Report): Section | undefined {
  if (curves.length === 0 && distributions === undefined) return undefined;
  const names = [...new Set([...curves, ...(distributions?.variants ?? [])].map(({ variant }) => variant))];
  return {
    id: 'outputs',
    title: 'Outputs',
    body: html`${moved(variants)}${variantLegend(names)}
      <div class="grid2">
        ${meanCurves(curves)}${distributions === undefined ? undefined : spreads(distributions)}
      </div>
      ${classCurves(curves)}`,
  };
}

/** What the charts come to, in a sentence for each quantized variant. */
function moved({ fp32, int8, mixed }: Report['variants']): Content {
  const before = fp32.detections;
  const words = (
    [
      ['INT8', int8],
      ['mixed', mixed],
    ] as const
  ).flatMap(([name, one]) => {
    if (one?.distances === undefined) return [];
    const { boxShift, scoreShift, unmatched } = one.distances;
    return [
      html`<li>
        ${name} shows ${one.detections} detections of score 0.25 or more, FP32 ${before}. Boxes that both show
        overlap by an IoU of ${(1 - boxShift).toFixed(3)} on average, and their scores move by
        ${signed(scoreShift)}; ${percent(unmatched)} of FP32's have no partner.
      </li>`,
    ];
  });
  return words.length === 0
    ? undefined
    : html`<ul>
        ${words}
      </ul>`;
}

function meanCurves(curves: readonly Curve[]): Content {
  const means = curves.filter((one) => one.class === undefined);
  return [...new Set(means.map(({ iou }) => iou))].map((iou) =>
    figure(
      `Precision over recall at IoU ${iou}, mean over classes`,
      means.filter((one) => one.iou === iou),
      [480, 300],
    ),
  );
}

/** Small curves of the classes whose INT8 curve lies furthest from that of FP32. */
function classCurves(curves: readonly Curve[]): Content {
  const classes = new Map<string, Curve[]>();
  for (const one of curves)
    if (one.class !== undefined) classes.set(one.class, [...(classes.get(one.class) ?? []), one]);
  const furthest = [...classes]
    .map(([name, of]) => ({ name, of, by: distance(of) }))
    .filter(({ by }) => by > 0)
    .sort((a, b) => b.by - a.by)
    .slice(0, CLASSES);
  if (furthest.length === 0) return undefined;
  return html`<h3>Classes whose curve moved most, IoU 0.5</h3>
    <div class="grid4">${furthest.map(({ name, of }) => figure(name, of, [300, 200]))}</div>`;
}

function distance(curves: readonly Curve[]): number {
  const [a, b] = ['fp32', 'int8'].map(
    (name) => curves.find(({ variant }) => variant === name)?.precision ?? [],
  );
  return (a ?? []).reduce((sum, value, i) => sum + Math.abs(value - (b?.[i] ?? value)), 0);
}

function figure(title: string, curves: readonly Curve[], [width, height]: readonly [number, number]): Markup {
  return html`<figure>
    <figcaption>${title}</figcaption>
    ${chart(
      { title, width, height, x: { ...UNIT, label: 'recall' }, y: { ...UNIT, label: 'precision' } },
      (x, y) =>
        curves.map(
          ({ variant, precision }) =>
            html`<path
              class="line ${variant}"
              d="${path(precision.map((value, i) => [x(i / Math.max(1, precision.length - 1)), y(value)] as const))}"
            />`,
        ),
    )}
  </figure>`;
}

function spreads({ scoreEdges, sizeEdges, variants }: Distributions): Content {
  const first = sizeEdges.findIndex((_, i) => variants.some(({ sizes }) => (sizes[i] ?? 0) > 0));
  const last = sizeEdges.findLastIndex((_, i) => variants.some(({ sizes }) => (sizes[i] ?? 0) > 0));
  const shown = sizeEdges.slice(Math.max(0, first), last + 2);
  return [
    spread(
      'Scores of all detections (counts rise by powers of ten)',
      'score',
      scoreEdges,
      steps(0, 1, 5).map(([value, text]) => [value * (scoreEdges.length - 1), text] as const),
      variants.map(({ variant, scores }) => ({ variant, counts: scores })),
    ),
    first < 0
      ? undefined
      : spread(
          'Sizes of detections with a score of 0.25 or more',
          'square root of the area, pixels',
          shown,
          shown
            .map((edge, i) => [i, shortNumber(Math.round(edge))] as const)
            .filter((_, i) => i % 2 === first % 2),
          variants.map(({ variant, sizes }) => ({ variant, counts: sizes.slice(first, last + 1) })),
        ),
  ];
}

/** Counts as stairs, one line a variant, bins evenly wide. */
function spread(
  title: string,
  label: string,
  edges: readonly number[],
  ticks: Axis['ticks'],
  lines: readonly { readonly variant: string; readonly counts: readonly number[] }[],
): Markup {
  const most = Math.max(1, ...lines.flatMap(({ counts }) => counts));
  return html`<figure>
    <figcaption>${title}</figcaption>
    ${chart(
      {
        title,
        width: 480,
        height: 300,
        x: { label, from: 0, to: Math.max(1, edges.length - 1), ticks },
        y: { label: 'detections', from: 0, to: countPlace(most) * 1.05, ticks: countSteps(most) },
      },
      (x, y) =>
        lines.map(
          ({ variant, counts }) =>
            html`<path
              class="line ${variant}"
              d="${path(
                counts.flatMap((count, i) => [
                  [x(i), y(countPlace(count))] as const,
                  [x(i + 1), y(countPlace(count))] as const,
                ]),
              )}"
            />`,
        ),
    )}
  </figure>`;
}
