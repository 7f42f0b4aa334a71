// node scripts/build.mjs [--out DIR]
import { buildAll } from './bundle.mjs';

const at = process.argv.indexOf('--out');
await buildAll(at < 0 ? 'dist' : process.argv[at + 1]);
