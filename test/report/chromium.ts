import { existsSync } from 'node:fs';
import puppeteer, { type Browser } from 'puppeteer-core';

/** Where systems have it; `CHROMIUM` names another, or `packaged` for the one of node_modules. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Chromium without a window: the system's, else the one that comes as a package; undefined where neither starts, and said so. */
export async function openChromium(): Promise<Browser | undefined> {
  const asked = process.env.CHROMIUM;
  const system = asked === 'packaged' ? undefined : [asked ?? '', ...PLACES].find((path) => existsSync(path));
  try {
    if (system !== undefined)
      return await puppeteer.launch({ executablePath: system, args: ['--no-sandbox', '--disable-gpu'] });
    // So told, the package unpacks the libraries too that a bare system lacks.
    process.env.AWS_EXECUTION_ENV ??= 'AWS_Lambda_nodejs20.x';
    const { default: packaged } = await import('@sparticuz/chromium');
    return await puppeteer.launch({
      executablePath: await packaged.executablePath(),
      args: packaged.args,
      headless: 'shell',
    });
  } catch (error) {
    process.stderr.write(`No Chromium starts here, tests in it are SKIPPED: ${String(error)}\n`);
    return undefined;
  }
}
