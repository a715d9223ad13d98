/** The audit log, for modules that show it beside their own records. Identity publishes no events. */
export { type AuditPage, type AuditRow, ListAuditQuery } from './list-audit/list-audit.query.js';
