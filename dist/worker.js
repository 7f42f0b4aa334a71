import { worker } from './int8-gate.js';
await worker();
