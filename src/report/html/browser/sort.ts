/** Headings become buttons that sort; a second press turns the order. Rows that compare equal keep their order. */
export function makeSortable(table: HTMLTableElement): void {
  const headings = [...(table.tHead?.rows[0]?.cells ?? [])];
  headings.forEach((heading, column) => {
    if ('fixed' in heading.dataset) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...heading.childNodes);
    button.title = heading.title;
    heading.append(button);
    button.addEventListener('click', () => {
      const down = heading.ariaSort === 'ascending';
      for (const one of headings) one.ariaSort = null;
      heading.ariaSort = down ? 'descending' : 'ascending';
      sort(table, column, down);
    });
  });
}

function sort(table: HTMLTableElement, column: number, down: boolean): void {
  const body = table.tBodies[0];
  if (body === undefined) return;
  const keyed = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column]) }));
  const order = new Intl.Collator('en', { numeric: true }).compare;
  keyed.sort(({ key: a }, { key: b }) => {
    const by = typeof a === 'number' && typeof b === 'number' ? a - b : order(String(a), String(b));
    return down ? -by : by;
  });
  body.append(...keyed.map(({ row }) => row));
}

function keyOf(cell: HTMLTableCellElement | undefined): number | string {
  const value = cell?.dataset.v;
  if (value !== undefined) return Number(value);
  const text = cell?.textContent ?? '';
  return text === '' || Number.isNaN(Number(text)) ? text : Number(text);
}
