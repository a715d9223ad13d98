import { ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsBoolean, IsInt, IsOptional, Max, Min } from 'class-validator';
import { PageInfo } from '#platform/http/page-info.dto.js';

export class ScheduleBody {
  /** @example prune */
  name: string;
  paused: boolean;
  /** @example 60000 */
  every_ms: number | null;
  pattern: string | null;
  next_run: string | null;
}

export class ScheduleList {
  data: ScheduleBody[];
  page: PageInfo;
}

export class PauseScheduleBody {
  @IsBoolean() paused: boolean;
}

export class TriggeredSchedule {
  /** @example prune */
  name: string;
  /** @example queued */
  status: string;
}

export class DeadLetterBody {
  /** @example events:start-session-42 */
  id: string;
  queue: string;
  name: string;
  reason: string;
  attempts: number;
  failed_at: string | null;
}

/** The newest `limit` of them. */
export class DeadLetterPage {
  data: DeadLetterBody[];
  page: PageInfo;
}

export class ListDeadLettersQuery {
  @ApiPropertyOptional({ default: 50 })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;
}
