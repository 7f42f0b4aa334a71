import type { TensorHistogram } from '../../types.js';
import { histogramFigure } from '../histogram.js';

/** Draws any of the tensors that the page holds as data, with the drawing of the page itself. */
export function offerTensors(): void {
  const data = document.getElementById('tensor-data');
  const select = document.querySelector<HTMLSelectElement>('#tensor');
  const place = document.getElementById('chosen-tensor');
  const tools = document.getElementById('more-tensors');
  if (data === null || select === null || place === null || tools === null) return;
  const tensors = JSON.parse(data.textContent ?? '[]') as readonly TensorHistogram[];
  tools.hidden = false;
  tensors.forEach(({ tensor }, i) => select.append(new Option(tensor, String(i))));
  select.addEventListener('change', () => {
    const tensor = tensors[Number(select.value)];
    // Names inside are escaped by the drawing, as on the page.
    place.innerHTML = select.value === '' || tensor === undefined ? '' : histogramFigure(tensor).text;
  });
}
