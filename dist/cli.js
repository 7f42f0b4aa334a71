#!/usr/bin/env node
import { cli } from './int8-gate.js';
await cli();
