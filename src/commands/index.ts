/** The command line: what `int8-gate` understands, how it shows progress, and how faults end it. */
export { endingOf, endingText, type Ending } from './faults.js';
export { runCommand, shardText } from './program.js';
export { createProgress, type ProgressStream } from './progress.js';
