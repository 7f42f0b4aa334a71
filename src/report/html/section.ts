import type { Content } from './markup.js';

/** A part of the page; a report without what it shows has none. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Content;
}
