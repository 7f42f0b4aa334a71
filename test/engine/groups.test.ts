import { expect, test } from '@jest/globals';
import { groupsThatFit } from '../../src/engine/groups.js';
import type { TensorSpec } from '../../src/engine/index.js';

const spec = (name: string, ...dims: number[]): TensorSpec => ({ name, type: 'float32', dims });
const outputs = [
  spec('a', -1, 10),
  spec('b', -1, 10),
  spec('c', -1, 20),
  spec('d', -1, 5),
  spec('other', 1, 900),
];

test.each<[string, number, string[][]]>([
  ['all fit', 1000, [['a', 'b', 'c', 'd']]],
  ['two passes are enough', 120, [['a', 'b', 'c'], ['d']]],
  ['half of the room', 60, [['a', 'b'], ['c'], ['d']]],
  ['none fits: one each', 1, [['a'], ['b'], ['c'], ['d']]],
])('tensors are fetched in groups: %s', (_, room, expected) =>
  expect(groupsThatFit(['a', 'b', 'c', 'd'], outputs, room)).toEqual(expected),
);

test('a tensor that the session does not give out, such as an input, costs nothing', () =>
  expect(groupsThatFit(['images', 'a'], outputs, 1000)).toEqual([['images', 'a']]));
