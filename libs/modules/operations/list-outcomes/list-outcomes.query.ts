import { Readable } from 'node:stream';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { stringify } from 'csv-stringify/sync';
import { decodeCursor, encodeCursor, keysetPage, refusingForgedCursor } from '#platform/http/keyset.js';
import { KeysetQuery } from '#platform/http/keyset.query.js';
import { PageInfo } from '#platform/http/page-info.dto.js';
import { type Outcome, Outcomes } from '#platform/sync/outcomes.js';

const LIST = 'outcomes';
const FILTERS = ['created', 'updated', 'skipped', 'failed', 'conflict', 'rejected'] as const;
type Filter = (typeof FILTERS)[number];
const DOWNLOAD_PAGE = 5000;

export class OutcomeParameters extends KeysetQuery {
  /** `rejected` is skipped, failed and conflict together. */
  @IsOptional() @IsIn(FILTERS) outcome?: Filter;
  /** `csv` and `ndjson` download all of them at once. */
  @ApiPropertyOptional({ default: 'json', enum: ['json', 'csv', 'ndjson'] })
  @IsOptional()
  @IsIn(['json', 'csv', 'ndjson'])
  format: 'json' | 'csv' | 'ndjson' = 'json';
}

export class ListOutcomesQuery {
  constructor(
    readonly sessionId: string,
    readonly parameters: OutcomeParameters,
  ) {}
}

/** What became of one record. */
export class OutcomeBody {
  id: string;
  /** @example invoices */
  entity: string;
  /** @example failed */
  outcome: string;
  /** @example "536365" */
  record: string | null;
  /**
   * Line of the file, from 1.
   * @example 12
   */
  line: number | null;
  /** @example items.quantity must be a number or a decimal string */
  reason: string | null;
  created_at: string;
}

export class OutcomePage {
  data: OutcomeBody[];
  page: PageInfo;
}

export interface OutcomesAnswer {
  type: string;
  /** File name extension when it is to be saved. */
  download: string | null;
  body: OutcomePage | Readable;
}

@QueryHandler(ListOutcomesQuery)
export class ListOutcomesHandler implements IQueryHandler<ListOutcomesQuery, OutcomesAnswer> {
  constructor(private readonly outcomes: Outcomes) {}

  async execute({ sessionId, parameters }: ListOutcomesQuery): Promise<OutcomesAnswer> {
    const { outcome = null, format, limit, cursor } = parameters;
    if (format === 'json') {
      const after = cursor === undefined ? '0' : (decodeCursor(LIST, cursor, 1)[0] ?? '0');
      const rows = await refusingForgedCursor(cursor, () =>
        this.outcomes.list(sessionId, outcome, after, limit + 1),
      );
      const body = keysetPage(rows, limit, (last) => encodeCursor(LIST, last.id));
      return { type: 'application/json', download: null, body };
    }
    const lines = format === 'csv' ? this.csv(sessionId, outcome) : this.ndjson(sessionId, outcome);
    return {
      type: format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
      download: format,
      body: Readable.from(lines),
    };
  }

  /** A spreadsheet would run a text that begins like a formula; those are escaped. */
  private async *csv(sessionId: string, outcome: Filter | null): AsyncGenerator<string> {
    const columns = ['line', 'record', 'outcome', 'reason', 'entity', 'created_at'];
    yield `${columns.join(',')}\n`;
    for await (const rows of this.pages(sessionId, outcome))
      yield stringify(rows, { columns, escape_formulas: true });
  }

  private async *ndjson(sessionId: string, outcome: Filter | null): AsyncGenerator<string> {
    for await (const rows of this.pages(sessionId, outcome))
      yield rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  }

  private async *pages(sessionId: string, outcome: Filter | null): AsyncGenerator<Outcome[]> {
    for (let after = '0'; ;) {
      const rows = await this.outcomes.list(sessionId, outcome, after, DOWNLOAD_PAGE);
      if (rows.length > 0) yield rows;
      const last = rows.at(-1);
      if (!last || rows.length < DOWNLOAD_PAGE) return;
      after = last.id;
    }
  }
}
