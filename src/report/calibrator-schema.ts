/** What `calibrator: best` leaves in the report. */
import { nullable, number, object, text, texts } from './schema-parts.js';

export const calibratorSections = {
  /**
   * By scale: tensors that share it, what is in force, why, and every candidate with the SQNR of the head when this scale alone
   * is in INT8. `detections`: one calibrator for all scales was taken, see `calibratorContest`.
   */
  calibrators: {
    type: 'array',
    items: object(
      {
        tensors: texts,
        calibrator: text,
        by: { enum: ['output', 'local', 'detections'] },
        candidates: {
          type: 'array',
          items: object({ calibrator: text, amax: number, sqnr: nullable, images: number }, [
            'calibrator',
            'amax',
            'sqnr',
            'images',
          ]),
        },
      },
      ['tensors', 'calibrator', 'by', 'candidates'],
    ),
  },
  /** The calibrators chosen scale by scale (`mix`) against one for all scales. */
  calibratorContest: object(
    {
      taken: text,
      by: { enum: ['detections', 'output'] },
      reason: text,
      /** Calibration images that the heat and the final were held on. */
      images: object({ heat: number, final: number }, ['heat', 'final']),
      /** How far detections agree with FP32's, 0…1: in the heat without bias correction, in the final as the model is written. */
      candidates: {
        type: 'array',
        items: object({ calibrator: text, heat: nullable, final: nullable }, ['calibrator', 'heat', 'final']),
      },
    },
    ['taken', 'by', 'reason', 'images', 'candidates'],
  ),
} as const;
