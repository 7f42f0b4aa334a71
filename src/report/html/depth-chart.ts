import type { LayerRow } from '../types.js';
import { chart, steps } from './axes.js';
import { html, px, type Markup } from './markup.js';

const WIDTH = 960;
const HEIGHT = 260;
/** Layers that get a mark of their own to point at. */
const MARKED = 25;

/** Sensitivity along the network: one stem a layer, the higher the worse; float layers in another colour and hollow. */
export function depthChart(layers: readonly LayerRow[]): Markup {
  const along = [...layers].sort((a, b) => a.depth - b.depth || a.rank - b.rank);
  const known = along.flatMap(({ sqnr }) => (sqnr === null ? [] : [sqnr]));
  if (known.length === 0) return html`<p>No layer changed the output.</p>`;
  // Beyond 80 dB nothing is seen of a layer: the chart spends no room on it.
  const quiet = Math.min(80, Math.max(...known) + 3);
  const worst = Math.min(...known);
  const room = Math.max(2, (quiet - worst) * 0.06);
  const ends = [quiet, worst - room] as const;
  const places = new Map(along.map((layer, i) => [layer, i + 0.5]));
  const height = (layer: LayerRow): number => Math.min(quiet, layer.sqnr ?? quiet);
  return chart(
    {
      title: 'Signal left at the output with one layer at a time in INT8, along the network',
      width: WIDTH,
      height: HEIGHT,
      x: { label: 'layers from input to output', from: 0, to: along.length, ticks: [] },
      y: { label: 'SQNR dB, worse upwards', from: ends[0], to: ends[1], ticks: steps(ends[0], ends[1], 6) },
    },
    (x, y) => {
      const stems = (chosen: (layer: LayerRow) => boolean): string =>
        along
          .filter(chosen)
          .map((layer) => `M${px(x(places.get(layer) as number))} ${px(y(quiet))}V${px(y(height(layer)))}`)
          .join('');
      const thick = Math.max(1, Math.min(6, (0.7 * (WIDTH - 60)) / along.length));
      const marks = layers
        .filter(({ sqnr, rank }) => sqnr !== null && rank <= MARKED)
        .map(
          (layer) =>
            html`<a href="#layer-${layer.rank}"
              ><circle
                class="${layer.precision === 'int8' ? 'int8' : 'float'} point"
                r="4"
                cx="${px(x(places.get(layer) as number))}"
                cy="${px(y(height(layer)))}"
              /><title>
                ${layer.rank}. ${layer.name}: ${layer.sqnr === null ? '–' : layer.sqnr.toFixed(1)} dB,
                ${layer.precision.toUpperCase()}
              </title></a
            >`,
        );
      return html`<path
          class="stem int8"
          stroke-width="${px(thick)}"
          d="${stems(({ precision }) => precision === 'int8')}"
        /><path
          class="stem float"
          stroke-width="${px(thick)}"
          d="${stems(({ precision }) => precision !== 'int8')}"
        />${marks}`;
    },
  );
}
