/** One run's measurements split over machines: the files that shards write, and what must agree before they are joined. */
export { parseShare, mine, type Share } from './share.js';
export { Recording, joinRecords, type Records } from './records.js';
export { SHARD_SUFFIX, readShard, writeShard, type Shard } from './file.js';
export { checkSame, checkWhole, findShards, otherScales, type Terms } from './whole.js';
export type { ShardHeader } from './schema.js';
