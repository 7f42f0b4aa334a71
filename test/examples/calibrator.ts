import { BINS, type Calibrator, type TensorStatistics } from '../../src/calibration/index.js';

/** Clips at `k` times the root mean square: cheap, and blind to the form of the tail. */
export function sigmaCalibrator(k: number): Calibrator {
  const name = `sigma:${k}`;
  return {
    name,
    range(statistics) {
      const { min, max } = statistics;
      const largest = Math.max(Math.abs(min), Math.abs(max));
      return { amax: Math.min(largest, k * rootMeanSquare(statistics)), min, max, calibrator: name };
    },
  };
}

/** From the histogram of |x|, each value taken at the middle of its bin. */
function rootMeanSquare({ bins, limit, count }: TensorStatistics): number {
  const sum = bins.reduce((total, here, i) => total + here * (((i + 0.5) * limit) / BINS) ** 2, 0);
  return count === 0 ? 0 : Math.sqrt(sum / count);
}
