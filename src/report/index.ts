/** The report: its schema, its texts, and the one border that escapes untrusted names. */
export * from './types.js';
export { movedLayers } from './moved.js';
export { historySchema } from './base-schema.js';
export { reportSchema } from './schema.js';
export { formatMarkdown } from './markdown.js';
export { formatAuditHtml, formatHtml, type AuditHead } from './html/page.js';
export { contactSheet, type SheetGroup, type SheetImage } from './contact-sheet.js';
export { formatTerminal } from './terminal.js';
export { painted, wrapped, wrappedLines, type ConsoleStyle } from './console.js';
export { isAudit, parseAudit, parseReport } from './read.js';
export { COMMENT_BYTES, formatComment, formatProblemComment, type CommentFrame } from './comment.js';
export { markdownSentence, markdownText, shortened, terminalText } from './escape.js';
export { checkReportFolder, writeReport, type ExtraFiles } from './write.js';
export { diffReports, type ReportDiff } from './diff.js';
export { changeWords, formatDiff } from './diff-text.js';
export { diffPlans, formatPlanDiff, type PlanChange, type PlanDiff } from './diff-plan.js';
