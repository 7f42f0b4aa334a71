/** What the page's script does: theme, sorting, searching, tensors on demand. The page is whole without it. */
import { followSearch } from './search.js';
import { makeSortable } from './sort.js';
import { offerTensors } from './tensors.js';
import { offerTheme } from './theme.js';

offerTheme();
for (const table of document.querySelectorAll<HTMLTableElement>('table.sortable')) makeSortable(table);
for (const input of document.querySelectorAll<HTMLInputElement>('input[data-filter]')) followSearch(input);
offerTensors();

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  if (event.key === 't') document.getElementById('theme')?.click();
  if (event.key === '/') {
    event.preventDefault();
    document.querySelector<HTMLInputElement>('input[data-filter]')?.focus();
  }
});

// Everything is to be seen on paper.
addEventListener('beforeprint', () => {
  for (const one of document.querySelectorAll('details')) one.open = true;
});
