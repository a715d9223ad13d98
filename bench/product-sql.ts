import { ListInvoicesHandler } from '#modules/sales/list-invoices/list-invoices.query.js';
import type { Config } from '#platform/config/config.js';
import type { Database } from '#platform/persistence/database.js';

/** A prepared statement as `pg` takes it. */
export interface Statement {
  name: string;
  text: string;
  values: unknown[];
}

/** What the product asks the database for the first page of the list: the peer then always runs the same SQL. */
export async function firstPageStatement(pageSize: number): Promise<Statement> {
  const statements: Statement[] = [];
  const recorder = {
    prepared: (name: string, text: string, values: unknown[]) => {
      statements.push({ name, text, values });
      return Promise.resolve([]);
    },
  };
  const handler = new ListInvoicesHandler(
    recorder as unknown as Database,
    { publicUrl: '' } as unknown as Config,
  );
  await handler.execute({ page_size: pageSize });
  const [statement, ...more] = statements;
  if (!statement || more.length > 0) throw new Error(`a page took ${statements.length} statements, not one`);
  return statement;
}
