import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Database } from '../persistence/database.js';
import { JobQueue } from '../queue/job-queue.js';
import { Public } from './access.js';

class Health {
  @ApiProperty({ example: 'ok' }) status: string;
  /** Seconds since this process started. */
  @ApiProperty({ example: 3600.5 }) uptime: number;
}

class Readiness {
  @ApiProperty({ enum: ['ready', 'starting', 'unavailable'] }) status: 'ready' | 'starting' | 'unavailable';
  /** Each check: `ok` or what is wrong. */
  @ApiProperty({
    additionalProperties: { type: 'string' },
    example: { database: 'ok', queue: 'ok', first_run: 'ok' },
  })
  checks: Record<string, string>;
  /** Reported, not failing; null when unknown. */
  @ApiProperty({
    additionalProperties: { type: 'number', nullable: true },
    example: { jobs_waiting: 0, outbox_seconds: 0 },
  })
  lag: Record<string, number | null>;
}

const CHECK_MS = 3000;

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly db: Database,
    private readonly queue: JobQueue,
  ) {}

  /** Is it up, and for how long. */
  @Public()
  @Get(['health', 'api/health', 'health/live'])
  live(): Health {
    return { status: 'ok', uptime: Math.round(process.uptime() * 1000) / 1000 };
  }

  /** Can it serve: database and queue answer, and the samples of a first start are in. */
  @Public()
  @Get('health/ready')
  @ApiOkResponse({ type: Readiness })
  @ApiServiceUnavailableResponse({ type: Readiness })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const [database, queue] = await Promise.all([settle(this.databaseState()), settle(this.queue.waiting())]);
    const starting = database.value?.first_run === 'pending';
    const checks = {
      database: database.error ?? 'ok',
      queue: queue.error ?? 'ok',
      first_run: database.value ? (starting ? 'samples are being imported' : 'ok') : 'unknown',
    };
    const failing = database.error !== null || queue.error !== null;
    if (failing || starting) reply.status(503);
    return {
      status: failing ? 'unavailable' : starting ? 'starting' : 'ready',
      checks,
      lag: { jobs_waiting: queue.value, outbox_seconds: database.value?.lag ?? null },
    };
  }

  private async databaseState(): Promise<{ first_run: string | null; lag: number }> {
    const row = await this.db.first<{ first_run: string | null; lag: number }>(
      `select first_run, coalesce((select extract(epoch from clock_timestamp() - created_at)
         from platform.outbox order by id limit 1), 0)::float8 as lag from platform.installation`,
    );
    return row ?? { first_run: null, lag: 0 };
  }
}

async function settle<T>(check: Promise<T>): Promise<{ value: T | null; error: string | null }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), CHECK_MS);
  });
  try {
    return { value: await Promise.race([check, late]), error: null };
  } catch {
    return { value: null, error: 'does not answer' };
  } finally {
    clearTimeout(timer);
    check.catch(() => undefined);
  }
}
