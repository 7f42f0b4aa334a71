import { describe, expect, test } from '@jest/globals';
import { COCO_CLASSES } from '../../src/dataset/index.js';
import { mapClasses, type Decoder, type ModelView } from '../../src/detection/index.js';

const view = (names?: readonly string[]): ModelView => ({
  inputs: [],
  outputs: [],
  metadata: new Map(names === undefined ? [] : [['names', JSON.stringify(names)]]),
});
const decoder = (classCount?: number) => ({ classCount }) as unknown as Decoder;
const called = (...names: string[]) => names.map((name, i) => ({ id: i + 1, name }));
const byName = (model: readonly string[], categories: readonly string[], boxes?: readonly number[]) =>
  mapClasses(decoder(), view(model), called(...categories), 'auto', boxes);

describe('a model that names its classes', () => {
  test.each<[string, string[], string[], number[], string]>([
    [
      'in another order and case',
      ['a', 'b', 'c'],
      ['C', 'a '],
      [1, -1, 0],
      '; 1 of the model’s 3 do not occur in the annotations',
    ],
    [
      'with other separators',
      ['potted plant', 'x'],
      ['x', 'pottedplant'],
      [1, 0],
      '; read pottedplant as potted plant',
    ],
    [
      'by names of Pascal VOC',
      ['tv', 'couch'],
      ['sofa', 'tvmonitor'],
      [1, 0],
      '; read tvmonitor as tv, sofa as couch',
    ],
    ['that differ by separators alone', ['a b', 'ab'], ['ab', 'a b'], [1, 0], ''],
  ])('is matched %s', (_, model, categories, index, how) => {
    const found = byName(model, categories);
    expect([...found.index]).toEqual(index);
    expect(found.how).toBe(`classes are matched by the names of the model${how}`);
  });

  test('is refused when it lacks a category', () =>
    expect(() => byName(['a', 'b'], ['a', 'zeppelin'])).toThrow(
      /categories of the annotations: the model has no class called "zeppelin"; it knows "a", "b"/,
    ));

  test('need not know a category without boxes, which is told', () => {
    const { index, how } = byName(['a', 'b'], ['objects', 'a', 'b'], [0, 3, 4]);
    expect([...index]).toEqual([1, 2]);
    expect(how).toMatch(/categories without boxes left out: "objects"$/);
    expect(() => byName(['a', 'b'], ['objects', 'a', 'b'], [1, 3, 4])).toThrow(/no class called "objects"/);
  });

  test('gives way to names in the settings', () => {
    const { index, how } = mapClasses(decoder(), view(['a', 'b']), called('x', 'y'), { classes: ['y', 'x'] });
    expect([...index]).toEqual([1, 0]);
    expect(how).toMatch(/by the names of the settings/);
  });
});

describe('a model without names', () => {
  const coco = [...COCO_CLASSES];

  test('of 80 classes takes COCO’s ids 1…90 in their order', () => {
    const { index, how } = mapClasses(decoder(80), view(), coco);
    expect([...index]).toEqual(coco.map((_, i) => i));
    expect(how).toBe('the model’s 80 classes are taken in the order of COCO’s 80 classes');
  });

  test('of 91 classes takes COCO’s ids as they are, leaving gaps, whatever ids the annotations have', () => {
    const contiguous = coco.map(({ name }, id) => ({ id, name }));
    for (const categories of [coco, contiguous]) {
      const { index, how } = mapClasses(decoder(91), view(), categories);
      expect([index[0], index[1], index[12], index[13], index[90]]).toEqual([-1, 0, -1, 11, 79]);
      expect(index.filter((place) => place >= 0)).toHaveLength(80);
      expect(how).toMatch(/by COCO’s category ids, 0…90/);
    }
  });

  test('finds the few classes of a VOC set among COCO’s 80', () => {
    const { index, how } = mapClasses(decoder(80), view(), called('aeroplane', 'person'));
    expect([index[0], index[4]]).toEqual([1, 0]);
    expect(how).toMatch(/read aeroplane as airplane; 78 of the model’s 80 do not occur/);
  });

  test('is matched by order when counts agree and names are not COCO’s', () => {
    const { index, how } = mapClasses(decoder(2), view(), called('b', 'a'));
    expect([...index]).toEqual([0, 1]);
    expect(how).toMatch(/by order: the model does not name them/);
  });

  test('of another count is refused', () =>
    expect(() => mapClasses(decoder(80), view(), called('a'))).toThrow(
      /there are 1, the model has 80 classes/,
    ));
});
