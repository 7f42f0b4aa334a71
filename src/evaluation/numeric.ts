/** Arithmetic as NumPy does it, where the last bit matters. */

/** numpy.linspace: `start + i * step`, the last element exactly `stop`. */
export function linspace(start: number, stop: number, count: number): Float64Array {
  const step = (stop - start) / (count - 1);
  const values = Float64Array.from({ length: count }, (_, i) => start + i * step);
  values[count - 1] = stop;
  return values;
}

/** numpy.sum's pairwise summation of a contiguous float64 array: blocks of 128, eight accumulators. */
export function pairwiseSum(values: Float64Array): number {
  const n = values.length;
  if (n < 8) {
    let sum = -0;
    for (const value of values) sum += value;
    return n === 0 ? 0 : sum;
  }
  if (n > 128) {
    const half = (n >> 1) - ((n >> 1) % 8);
    return pairwiseSum(values.subarray(0, half)) + pairwiseSum(values.subarray(half));
  }
  const r = values.slice(0, 8);
  let i = 8;
  for (; i < n - (n % 8); i += 8)
    for (let k = 0; k < 8; k++) r[k] = (r[k] as number) + (values[i + k] as number);
  const [a, b, c, d, e, f, g, h] = r as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (; i < n; i++) sum += values[i] as number;
  return sum;
}

/** mulberry32: a small seedable generator, uniform in [0, 1). */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
