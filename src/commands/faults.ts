import {
  EXIT,
  InputFault,
  Interrupted,
  SurroundingsFault,
  describeProblem,
  messageOf,
  type ExitStatus,
  type Problem,
} from '../faults/index.js';
import { terminalText } from '../report/index.js';

/** How a fault ends the program. */
export interface Ending {
  readonly exitStatus: ExitStatus;
  readonly problems: readonly Problem[];
}

/** Anything thrown, as exit status and problems; what is no fault of ours to foresee is named as a bug. */
export function endingOf(error: unknown): Ending {
  if (error instanceof InputFault) return { exitStatus: error.exitStatus, problems: error.problems };
  if (error instanceof SurroundingsFault) return { exitStatus: error.exitStatus, problems: [error.problem] };
  if (error instanceof Interrupted)
    return { exitStatus: error.exitStatus, problems: [{ where: 'int8-gate', what: error.message }] };
  return {
    exitStatus: EXIT.surroundings,
    problems: [
      {
        where: 'int8-gate',
        what: `unexpected: ${messageOf(error)}`,
        fix: 'This is a bug in int8-gate. Run again with INT8_GATE_DEBUG=1 and report what it prints.',
      },
    ],
  };
}

/** The problems as lines for a person. */
export function endingText({ problems }: Ending): string {
  return problems
    .map((problem) => describeProblem(problem).split('\n').map(terminalText).join('\n'))
    .join('\n');
}
