import { emitTop, finite, pushCentred, shapeOf, sigmoid } from './boxes.js';
import { CandidateTable } from './nms.js';
import type { Decoder, DecoderOptions, Match } from './types.js';

type Decode = Decoder['decode'];

/** Logits `[1, queries, classes]` under a sigmoid and boxes cx cy w h, 0…1: best pairs of query and class (RT-DETR, D-FINE, RF-DETR). */
export function queries({ outputs: { boxes, scores } }: Match, options: DecoderOptions): Decode {
  return (outputs, geometry, emit) => {
    const sides = finite(outputs, boxes).data;
    const tensor = finite(outputs, scores);
    const [n = 0, classCount = 0] = shapeOf(tensor, scores, 2);
    const found = new CandidateTable();
    for (let i = 0; i < n; i++)
      for (let cls = 0; cls < classCount; cls++)
        add(found, cls, sigmoid(tensor.data[i * classCount + cls] as number), sides, 4 * i, options);
    emitTop(found, options, geometry, emit);
  };
}

/** Logits with a last class of "no object" under a softmax, and boxes cx cy w h, 0…1: best class of each query (DETR). */
export function detr({ outputs: { boxes, scores } }: Match, options: DecoderOptions): Decode {
  return (outputs, geometry, emit) => {
    const sides = finite(outputs, boxes).data;
    const tensor = finite(outputs, scores);
    const [n = 0, width = 0] = shapeOf(tensor, scores, 2);
    const found = new CandidateTable();
    for (let i = 0; i < n; i++) {
      const logit = (cls: number): number => tensor.data[i * width + cls] as number;
      let best = 0;
      for (let cls = 1; cls < width - 1; cls++) if (logit(cls) > logit(best)) best = cls;
      let sum = 0;
      for (let cls = 0; cls < width; cls++) sum += Math.exp(logit(cls) - logit(best));
      add(found, best, 1 / sum, sides, 4 * i, options);
    }
    emitTop(found, options, geometry, emit);
  };
}

/**
 * RT-DETR of Ultralytics: `[1, queries, 4 + classes]`, cx cy w h, 0…1, and probabilities, best class of each query; or,
 * as later exporters leave it, `[1, queries, 6]`, cx cy w h, 0…1, score, class.
 */
export function ultralyticsQueries(
  { classCount, outputs: { predictions } }: Match,
  options: DecoderOptions,
): Decode {
  return (outputs, geometry, emit) => {
    const tensor = finite(outputs, predictions);
    const { data } = tensor;
    const [n = 0, width = 0] = shapeOf(tensor, predictions, 2);
    const found = new CandidateTable();
    const chosen = width === 6 && (classCount === 2 ? wholeNumbers(data, 5, 6) : classCount !== undefined);
    for (let i = 0; i < n; i++) {
      const score = (cls: number): number => data[i * width + 4 + cls] as number;
      let best = 0;
      if (!chosen) for (let cls = 1; cls < width - 4; cls++) if (score(cls) > score(best)) best = cls;
      if (chosen) add(found, Math.round(score(1)), score(0), data, i * width, options);
      else add(found, best, score(best), data, i * width, options);
    }
    emitTop(found, options, geometry, emit);
  };
}

/** Numbers of classes are whole in every row, probabilities of a second class never in all. */
function wholeNumbers(data: ArrayLike<number>, first: number, step: number): boolean {
  for (let at = first; at < data.length; at += step) if (!Number.isInteger(data[at])) return false;
  return true;
}

function add(
  found: CandidateTable,
  cls: number,
  score: number,
  sides: ArrayLike<number>,
  at: number,
  { confidence, inputWidth, inputHeight }: DecoderOptions,
): void {
  if (score <= confidence) return;
  const [cx, cy] = [(sides[at] as number) * inputWidth, (sides[at + 1] as number) * inputHeight];
  const [w, h] = [(sides[at + 2] as number) * inputWidth, (sides[at + 3] as number) * inputHeight];
  pushCentred(found, cls, score, cx, cy, w, h);
}
