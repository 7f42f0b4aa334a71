/**
 * What can go wrong, and the exit status that each kind has.
 *
 * Every room throws one of these for what a user can mend; anything else that
 * escapes is a bug in int8-gate and is reported as such.
 */
export const EXIT = { pass: 0, fail: 1, badInput: 2, surroundings: 3, interrupted: 130 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** One mistake: the place (file, `file:line:col key`, node or tensor), what is wrong there, how to mend it. */
export interface Problem {
  readonly where: string;
  readonly what: string;
  readonly fix?: string;
}

/** The single line (or two) in which a problem is shown. */
export function describeProblem({ where, what, fix }: Problem): string {
  return fix === undefined ? `${where}: ${what}` : `${where}: ${what}\n    ${fix}`;
}

/** The input is wrong: settings, model, images, annotations, plan. Exit status 2. Holds every mistake found, not the first. */
export class InputFault extends Error {
  readonly exitStatus = EXIT.badInput;
  readonly problems: readonly Problem[];
  constructor(problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map(describeProblem).join('\n'), options);
    this.name = 'InputFault';
    this.problems = list;
  }
}

/** The surroundings failed: engine, GPU, disk, network, permissions. Exit status 3. */
export class SurroundingsFault extends Error {
  readonly exitStatus = EXIT.surroundings;
  readonly problem: Problem;
  constructor(problem: Problem, options?: ErrorOptions) {
    super(describeProblem(problem), options);
    this.name = 'SurroundingsFault';
    this.problem = problem;
  }
}

/** The person or the runner asked to stop (Ctrl-C, cancelled job). Exit status 130. */
export class Interrupted extends Error {
  readonly exitStatus = EXIT.interrupted;
  constructor() {
    super('interrupted; nothing was left half written');
    this.name = 'Interrupted';
  }
}

/** The message of anything thrown; also of errors from another realm, which `instanceof` does not know. */
export function messageOf(error: unknown): string {
  const message = property(error, 'message');
  return typeof message === 'string' ? message : String(error);
}

/** The `code` of a Node system error (`ENOENT`, `EACCES`, …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = property(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
