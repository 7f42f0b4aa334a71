/** Hides the rows of a table that lack any of the words typed, and says how many are left. */
export function followSearch(input: HTMLInputElement): void {
  const id = input.dataset.filter ?? '';
  const body = document.querySelector<HTMLTableElement>(`#${id}`)?.tBodies[0];
  const count = document.querySelector<HTMLOutputElement>(`output[data-count="${id}"]`);
  if (body === undefined) return;
  const rows = [...body.rows].map((row) => ({ row, text: (row.textContent ?? '').toLowerCase() }));
  input.hidden = false;
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const { row, text } of rows) {
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) left++;
    }
    if (count !== null) count.value = words.length === 0 ? '' : `${left} of ${rows.length}`;
  });
}
