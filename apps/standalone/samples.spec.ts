import { createHash } from 'node:crypto';
import { sampleInvoices, samplesAsNdjson } from './samples.js';

describe('the sample invoices', () => {
  const invoices = sampleInvoices();

  it('are the same on every machine and every day', () => {
    expect(samplesAsNdjson()).toBe(samplesAsNdjson());
    const hash = createHash('sha256').update(samplesAsNdjson()).digest('hex');
    expect(hash.slice(0, 16)).toBe('b4d384e25ed2995f');
  });

  it('look like a small wholesaler’s year', () => {
    expect(invoices).toHaveLength(240);
    expect(new Set(invoices.map((invoice) => invoice.invoice_no)).size).toBe(240);
    expect(new Set(invoices.map((invoice) => invoice.customer.code)).size).toBe(12);
    expect(new Set(invoices.map((invoice) => invoice.salesman)).size).toBe(4);
    expect(new Set(invoices.flatMap(({ items }) => items.map((item) => item.item_code))).size).toBe(40);
    const returns = invoices.filter(({ items }) => items.some((item) => item.quantity < 0));
    expect(returns.length).toBeGreaterThan(3);
    expect(returns.length).toBeLessThan(30);
  });

  it('can be imported as they are', () => {
    for (const { invoice_date, items } of invoices) {
      expect(invoice_date).toMatch(/^2025-\d\d-\d\d$/);
      expect(items.length).toBeGreaterThanOrEqual(1);
      expect(items.length).toBeLessThanOrEqual(8);
      for (const { quantity, mrp } of items) {
        expect(Number.isInteger(quantity) && quantity !== 0).toBe(true);
        expect(String(mrp)).toMatch(/^\d+(\.\d{1,4})?$/);
      }
    }
    const lines = samplesAsNdjson().split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(invoices);
  });
});
