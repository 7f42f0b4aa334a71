import type { Decoder } from '../../src/detection/index.js';
import { InputFault } from '../../src/faults/index.js';

/** Decodes `boxes`, [1, n, 6]: centre x, y, width, height in pixels of the model's input, score, class. */
export const decodeCentred: Decoder['decode'] = (outputs, geometry, emit) => {
  const tensor = outputs.get('boxes');
  if (tensor?.dims.length !== 3 || tensor.dims[2] !== 6)
    throw new InputFault({
      where: 'output boxes',
      what: `must be [1, n, 6], is ${tensor === undefined ? 'missing' : `[${tensor.dims.join(', ')}]`}`,
      fix: 'Declare another decoder with `decoder.format`.',
    });
  const { scaleX, scaleY, padX, padY } = geometry;
  for (let at = 0; at < tensor.data.length; at += 6) {
    const [x, y, w, h, score, label] = tensor.data.subarray(at, at + 6) as unknown as Six;
    if (!Number.isFinite(x + y + w + h + score))
      throw new InputFault({ where: 'output boxes', what: `holds NaN or infinity in row ${at / 6}` });
    // Back to pixels of the original image, corner first.
    emit(label, (x - w / 2 - padX) / scaleX, (y - h / 2 - padY) / scaleY, w / scaleX, h / scaleY, score);
  }
};

type Six = [number, number, number, number, number, number];
