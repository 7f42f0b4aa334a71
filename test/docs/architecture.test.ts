import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync, statSync } from 'node:fs';

const text = readFileSync('docs/architecture.md', 'utf8');
const rules = readFileSync('eslint-rules/rooms.mjs', 'utf8');
const rooms = [...(/ROOMS = \[([^\]]*)\]/.exec(rules)?.[1] ?? '').matchAll(/'(\w+)'/g)].map(
  ([, room]) => room,
);

test('the folders of src are the rooms that lint knows', () =>
  expect(
    readdirSync('src')
      .filter((name) => statSync(`src/${name}`).isDirectory())
      .sort(),
  ).toEqual([...rooms].sort()));

test('the page names every room, in the order of imports', () => {
  const listed = /\n`(words[^`]*)`/.exec(text)?.[1]?.split(/,\s*/);
  expect(listed).toEqual(rooms);
  expect([...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, room]) => room)).toEqual(rooms);
});

test.each(readdirSync('docs').filter((name) => name.endsWith('.md')))(
  'links of docs/%s lead somewhere',
  (name) => {
    const page = readFileSync(`docs/${name}`, 'utf8');
    const lost = [...page.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].filter(([, target]) => {
      try {
        statSync(`docs/${target}`);
        return false;
      } catch {
        return true;
      }
    });
    expect(lost.map(([, target]) => target)).toEqual([]);
  },
);
