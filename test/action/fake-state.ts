/** What the stand-in for GitHub remembers. */
export interface FakeComment {
  readonly id: number;
  readonly issue: number;
  author: string;
  body: string;
}
export interface FakeCheck {
  readonly id: number;
  readonly sha: string;
  name: string;
  externalId: string;
  conclusion: string;
  title: string;
  summary: string;
  detailsUrl: string | undefined;
  annotations: { path: string; start_line: number; annotation_level: string; message: string }[];
}
export interface FakeIssue {
  readonly number: number;
  author: string;
  title: string;
  body: string;
  state: string;
}
/** An entry of the cache, which the stand-in for its service fills. */
export interface FakeEntry {
  readonly ref: string;
  readonly key: string;
  readonly version: string;
  readonly createdAt: string;
  bytes: Buffer;
}
export interface FakePull {
  number: number;
  head: string;
  /** `owner:branch` */
  from: string;
  open: boolean;
}
