/** At most `count` jobs at once, in order of arrival. */
export function limit(count: number): <T>(job: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (job) => {
    if (running < count) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve)); // the place is handed over
    try {
      return await job();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
