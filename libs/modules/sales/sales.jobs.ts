import { defineJob } from '#platform/queue/job.js';
import { retain } from '#platform/queue/retention.js';
import { runRegularly } from '#platform/queue/schedules.js';

export const FOLD_COUNT = defineJob('maintenance', 'sales.fold-count');
runRegularly(FOLD_COUNT, { everyMs: 60_000 });

/** Uploads that broke off, or whose API process died on the way. */
retain({ table: 'sales.import_file', column: 'created_at', keep: '1 day', where: 't.session_id is null' });
