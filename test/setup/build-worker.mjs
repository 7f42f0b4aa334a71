import { buildWorker } from '../../scripts/bundle.mjs';

export default () => buildWorker('build/dist');
