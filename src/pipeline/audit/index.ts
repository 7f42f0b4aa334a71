/** What the calibration images are worth: as a job of its own, and as a part of every report. */
export { runAudit, type AuditResult } from './job.js';
export { auditOfRun } from './of-run.js';
