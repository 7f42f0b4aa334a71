import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { nonMaximumSuppression, type Candidates } from '../../src/detection/index.js';

type Case = {
  name: string;
  limit: number;
  corners: number[];
  classes: number[];
  scores: number[];
  kept: number[];
};
const cases = JSON.parse(readFileSync(new URL('golden/nms.json', import.meta.url), 'utf8')) as Case[];

test.each(cases.map((one) => [one.name, one.limit, one] as const))(
  '%s, limit %d: as torchvision keeps them',
  (_, limit, one) => expect(nonMaximumSuppression(one satisfies Candidates, limit, 2000)).toEqual(one.kept),
);
