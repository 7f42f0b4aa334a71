import { baked } from './baked.js';
import { heads } from './heads.js';
import { shown } from './layouts.js';
import { paired } from './paired.js';
import { single } from './single.js';
import type { Add, Sight } from './sight.js';
import type { DecoderFormat, Match, ModelView } from './types.js';
import { classNamesOf, inputSize } from './view.js';

/**
 * Every format whose layout the outputs have, with the evidence.
 * @param named - outputs that the settings give by role
 */
export function matchesOf(
  view: ModelView,
  named: Sight['named'],
  declaredClasses: number | undefined,
  declared: DecoderFormat | undefined,
): readonly Match[] {
  const known = classNamesOf(view)?.length;
  const classes =
    declaredClasses !== undefined
      ? { count: declaredClasses, from: 'the settings' }
      : known !== undefined
        ? { count: known, from: 'the metadata' }
        : undefined;
  const chosen = Object.values(named);
  const outputs =
    chosen.length === 0 ? view.outputs : view.outputs.filter(({ name }) => chosen.includes(name));
  const found: Match[] = [];
  const sight = { view, outputs, named, classes, declared, ...inputSize(view) };
  const add: Add = (format, match) => {
    if (declared === undefined || declared === format)
      found.push({ ...match, format, why: `${outputs.map(shown).join('; ')}: ${match.why}` });
  };
  for (const look of [baked, paired, heads, single]) {
    look(sight, add);
    if (found.length > 0) break; // names of baked outputs say more than shapes do
  }
  return found;
}
