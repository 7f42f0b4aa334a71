import { action } from './int8-gate.js';
await action();
