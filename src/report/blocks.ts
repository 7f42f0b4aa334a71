/** Charts out of block characters: what reads in a terminal, in a log, and in Markdown set in one width. */
import type { LayerRow } from './types.js';

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const HEIGHTS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** A bar of at most `cells` characters. @param share - 0…1 */
export function blockBar(share: number, cells: number): string {
  const eighths = Math.round(8 * cells * Math.min(1, Math.max(0, share)));
  return '█'.repeat(eighths >> 3) + (EIGHTHS[eighths & 7] as string);
}

/** Beyond so many dB nothing is seen of a layer: it stands at the bottom. */
const QUIET = 60;

/** Sensitivity along the network in one line, the higher the worse, and below it where the plan keeps layers float. */
export interface DepthLines {
  readonly chart: string;
  /** `o` under columns with a float layer; empty when there is none. */
  readonly float: string;
  /** dB at the top and at the bottom. */
  readonly from: number;
  readonly to: number;
}

/**
 * Draws layers in at most `width` columns, from input to output; where several share a column, the worst shows.
 * Undefined when no layer changed the output.
 */
export function depthLines(layers: readonly LayerRow[], width: number): DepthLines | undefined {
  const along = [...layers].sort((a, b) => a.depth - b.depth || a.rank - b.rank);
  const known = along.flatMap(({ sqnr }) => (sqnr === null ? [] : [sqnr]));
  if (known.length === 0) return undefined;
  const worst = Math.min(...known);
  const quiet = Math.max(worst + 1, Math.min(QUIET, Math.max(...known)));
  const columns = Math.min(width, along.length);
  const cells = Array.from({ length: columns }, (_, i) =>
    along.slice(Math.floor((i * along.length) / columns), Math.floor(((i + 1) * along.length) / columns)),
  );
  const height = (cell: readonly LayerRow[]): number => {
    const least = Math.min(...cell.map(({ sqnr }) => sqnr ?? Infinity));
    if (least === Infinity) return 0;
    return Math.max(1, Math.round((8 * (quiet - Math.min(quiet, least))) / (quiet - worst)));
  };
  return {
    chart: cells.map((cell) => HEIGHTS[height(cell)] as string).join(''),
    float: cells
      .map((cell) => (cell.some(({ precision }) => precision !== 'int8') ? 'o' : ' '))
      .join('')
      .trimEnd(),
    from: worst,
    to: quiet,
  };
}

/** The same as Markdown, set in one width so that both lines keep their columns; undefined where there is nothing to draw. */
export function depthMarkdown(layers: readonly LayerRow[], width: number): string | undefined {
  const drawn = depthLines(layers, width);
  if (drawn === undefined) return undefined;
  const { chart, float, from, to } = drawn;
  const words = `Input to output, ${from.toFixed(0)} dB at the top, ${to.toFixed(0)} at the bottom${float === '' ? '' : '; `o` = float in the plan'}:`;
  return `${words}\n\n\`\`\`text\n${chart}\n${float === '' ? '' : `${float}\n`}\`\`\``;
}
