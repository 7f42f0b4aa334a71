/** What an evaluation answers. */

/** The 12 numbers of COCO; -1 where nothing was there to measure. */
export interface CocoStats {
  readonly AP: number;
  readonly AP50: number;
  readonly AP75: number;
  readonly APs: number;
  readonly APm: number;
  readonly APl: number;
  readonly AR1: number;
  readonly AR10: number;
  readonly AR100: number;
  readonly ARs: number;
  readonly ARm: number;
  readonly ARl: number;
}

/** AP of one class. */
export interface ClassResult {
  readonly category: number;
  readonly name: string;
  readonly AP: number;
  readonly AP50: number;
  readonly AR100: number;
  /** Ground-truth boxes that count. */
  readonly boxes: number;
}
