import { agreementOf, agreementShares, type Agreement } from '../evaluation/index.js';
import { isAbove } from '../sensitivity/index.js';

/** The name of ranges chosen scale by scale, beside those of calibrators. */
export const MIX = 'mix';

/** One way to set all ranges, and how far its detections agree with FP32's, 0…1. */
export interface Rival {
  /** A calibrator, or {@link MIX}. */
  readonly name: string;
  /** Of the plain INT8 network, on the first images; undefined for those that need no heat. */
  readonly heat: number | undefined;
  /** Of the network as it would be written, on all images; undefined for those that the heat left behind. */
  readonly final: number | undefined;
}

/** Which ranges `calibrator: best` takes for the network as a whole, and why. */
export interface Contest {
  readonly taken: string;
  /** `detections` = they agree best with FP32's; `output` = FP32 detects nothing there, and the error of each scale decides. */
  readonly by: 'detections' | 'output';
  /** For a person. */
  readonly reason: string;
  /** Images that the heat and the final are held on. */
  readonly images: { readonly heat: number; readonly final: number };
  readonly rivals: readonly Rival[];
}

/** Who takes part, and how they are measured. */
export interface ContestInput {
  /** The calibrator of the settings' percentile: of calibrators no other is taken unless it is surely better. */
  readonly standard: string;
  /** Calibrators, `standard` among them. */
  readonly singles: readonly string[];
  readonly images: Contest['images'];
  /** By image: what the plain INT8 network has in common with FP32. */
  readonly heat: (name: string) => Promise<readonly Agreement[]>;
  /** The same on all images, as the network would be written. */
  readonly final: (name: string) => Promise<readonly Agreement[]>;
}

/**
 * Ranges that are best for each scale alone need not be best together: an error of the head counts background, nearly all of
 * it, like objects, and choices among hundreds are made on few images. So detections have the last word. A heat finds the
 * most promising calibrator beside the standard one; both and the mix are then measured as they would be written. The other
 * calibrator takes the place of the standard one where it is surely better: on a few images several are alike, and the
 * largest of several figures is mostly luck. The mix is taken where it agrees at least as well as the one of both that is left.
 */
export async function holdContest(input: ContestInput): Promise<Contest> {
  const { singles, standard, images } = input;
  const heats = new Map<string, number>();
  for (const name of singles)
    if (name !== standard) heats.set(name, orNothing(agreementOf(await input.heat(name))));
  const [second] = [...heats].sort(([, a], [, b]) => b - a).slice(0, 1);
  const finals = new Map<string, readonly Agreement[]>();
  for (const name of [standard, ...(second === undefined ? [] : [second[0]]), MIX])
    finals.set(name, await input.final(name));
  const rivals = [...singles, MIX].map((name): Rival => {
    const measured = finals.get(name);
    return {
      name,
      heat: heats.get(name),
      final: measured === undefined ? undefined : orNothing(agreementOf(measured)),
    };
  });
  const ended = judge(finals, standard);
  return { ...ended, by: 'detections', images, rivals };
}

/** Who is taken of those in the final. */
function judge(
  finals: ReadonlyMap<string, readonly Agreement[]>,
  standard: string,
): Pick<Contest, 'taken' | 'reason'> {
  const shares = (name: string): readonly number[] =>
    agreementShares(finals.get(name) as readonly Agreement[]).map(orNothing);
  const figure = (name: string): number => orNothing(agreementOf(finals.get(name) as readonly Agreement[]));
  const other = [...finals.keys()].find((name) => name !== MIX && name !== standard);
  const replaced = other !== undefined && isAbove(shares(other), shares(standard));
  const single = replaced ? other : standard;
  const doubted =
    other !== undefined && !replaced && figure(other) > figure(standard)
      ? `, and ${other} is not surely better than ${standard}`
      : '';
  return figure(MIX) >= figure(single)
    ? { taken: MIX, reason: `detections agree with FP32's at least as well as those of ${single}${doubted}` }
    : {
        taken: single,
        reason: `detections agree better with FP32's than those of the mix${replaced ? `, and surely better than those of ${standard}` : doubted}`,
      };
}

/** A network that detects nothing where FP32 does nothing either is told by nothing. */
function orNothing(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}
