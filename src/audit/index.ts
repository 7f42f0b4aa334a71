/** What a set of calibration images is worth: duplicates, overlap, coverage, who sets the ranges, drift; and a verdict. Pure. */
export * from './types.js';
export { featuresOf } from './features.js';
export { findCopies, findOverlap, type Copies } from './copies.js';
export { findGaps, type Attribute, type ClassPresence } from './coverage.js';
export { findDominating } from './influence.js';
export { judgeAudit, type AuditEvidence } from './judge.js';
export { formatAuditMarkdown, formatAuditTerminal } from './text.js';
