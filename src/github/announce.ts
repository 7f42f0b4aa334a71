import * as core from '@actions/core';
import { markdownSentence, terminalText } from '../report/index.js';
import { summarize } from './action.js';
import type { Annotation } from './client.js';
import type { Occasion, Surroundings } from './occasion.js';
import type { Manners } from './patience.js';
import { tell, type Caution, type News, type Posting } from './tell.js';

/** A step shows this many annotations of each level; one is the verdict's. */
const MOST_COMMANDS = 9;

/**
 * Posts the news, and says in the log and the summary what was asked for and could not be posted. Where no check run
 * carries the annotations, the log does.
 */
export async function announce(
  news: News,
  occasion: Occasion,
  where: Surroundings,
  posting: Posting,
  manners: Manners,
  caution?: Caution,
): Promise<void> {
  const told = await tell(news, occasion, where, posting, manners, caution);
  for (const line of told.said) core.info(terminalText(line));
  if (!told.checked && news.kind === 'report') command(news.annotations);
  if (told.missed.length === 0) return;
  for (const line of told.missed) core.notice(terminalText(line), { title: 'int8-gate' });
  const lines = told.missed.map((line) => `> ${markdownSentence(line)}`).join('\n>\n');
  await summarize(`\n> [!NOTE]\n${lines}\n`);
}

/** Annotations as commands to the runner. */
function command(annotations: readonly Annotation[]): void {
  const of = (failure: boolean): readonly Annotation[] =>
    annotations
      .filter(({ annotation_level }) => (annotation_level === 'failure') === failure)
      .slice(0, MOST_COMMANDS);
  for (const one of of(true)) core.error(one.message, placeOf(one));
  for (const one of of(false)) core.warning(one.message, placeOf(one));
}

function placeOf({ path, start_line, title }: Annotation): core.AnnotationProperties {
  return { file: path, startLine: start_line, title };
}
