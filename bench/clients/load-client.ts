import autocannon from 'autocannon';
import { invoiceBody } from '../invoice-data.js';

/** What to send, from how many connections, for how long. */
export interface LoadJob {
  url: string;
  headers?: Record<string, string>;
  connections: number;
  seconds: number;
  /** Each request imports another invoice, with numbers that begin so; absent: GET. */
  invoices?: string;
}

export interface LoadResult {
  perSecond: number;
  /** Answers other than 2xx, and connections that failed. */
  bad: number;
  sample: string;
}

process.on('disconnect', () => process.exit(0));
process.on('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ perSecond: 0, bad: 1, sample: String(error) } satisfies LoadResult),
  );
});

async function run({ url, headers = {}, connections, seconds, invoices }: LoadJob): Promise<LoadResult> {
  const { pathname, search } = new URL(url);
  let sample = '';
  let number = 0;
  const onResponse = (status: number, body: string) => {
    if (status >= 300 && sample === '') sample = `${status} ${body.slice(0, 500)}`;
  };
  const request: autocannon.Request =
    invoices === undefined
      ? { method: 'GET', path: pathname + search, onResponse }
      : {
          method: 'POST',
          path: pathname,
          onResponse,
          setupRequest: (given) => {
            const invoice = { ...invoiceBody(number++), invoice_no: `${invoices}-${number}` };
            return {
              ...given,
              body: JSON.stringify(invoice),
              headers: {
                ...headers,
                'content-type': 'application/json',
                'idempotency-key': invoice.invoice_no,
              },
            };
          },
        };
  const result = await autocannon({ url, headers, connections, duration: seconds, requests: [request] });
  return {
    perSecond: result.requests.total / result.duration,
    bad: result.non2xx + result.errors,
    sample: sample || `${result.errors} errors, ${result.timeouts} timeouts`,
  };
}
