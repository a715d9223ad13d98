import type { ImportAnswer } from '#modules/sales/import-invoice/import-invoice.command.js';
import type { InvoicePage } from '#modules/sales/list-invoices/list-invoices.query.js';
import { type TestApi, startApi } from '#testing/app.js';
import type { Client } from '#testing/http-client.js';
import { SseReader } from '#testing/sse-reader.js';

export const seedInvoice = {
  invoice_no: 'INV-10222',
  invoice_date: '2025-01-18',
  salesman: 'Ajay',
  created_by: 'admin',
  customer: {
    code: 'CUST-889',
    name: 'LifeCare Pharmacy',
    area: 'Kozhikode',
    address1: 'Near Railway Station',
    address2: '',
    phone1: '9876543210',
    phone2: '',
    email: 'lifecare@shop.com',
  },
  items: [
    {
      name: 'Paracetamol 650mg',
      item_code: 'PR650',
      quantity: 20,
      mrp: 3.5,
      shelf_location: 'R-12',
      remarks: '',
    },
    {
      name: 'Otrivin Nasal Spray',
      item_code: 'OTN10',
      quantity: 10,
      mrp: 85.0,
      shelf_location: 'G-04',
      remarks: '',
    },
  ],
};

let api: TestApi;
let operator: Client;
let viewer: Client;

beforeAll(async () => {
  api = await startApi({ worker: true });
  operator = await api.client('operator');
  viewer = await api.client('viewer');
});
afterAll(() => api.close());

describe('one invoice, from import to the list and the stream', () => {
  it('is imported once, shown in the list as the seed has it, and told live', async () => {
    const stream = await SseReader.open(`${api.url}/api/sales/sse/invoices/`, await api.as('viewer'));
    expect(stream.status).toBe(200);
    const first = await operator.post<ImportAnswer>('/api/sales/import/invoice/', seedInvoice);
    expect(first.status).toBe(201);
    expect(first.body).toEqual({
      success: true,
      status_code: 201,
      message: 'Invoice imported successfully',
      data: { id: expect.any(Number), invoice_no: 'INV-10222', total_amount: 920 },
    });
    const again = await operator.post<ImportAnswer>('/api/sales/import/invoice', seedInvoice);
    expect(again.status).toBe(200);
    expect(again.body.data).toEqual(first.body.data);

    const list = await viewer.get<InvoicePage>('/api/sales/invoices/?page=1&page_size=20');
    expect(list.status).toBe(200);
    expect(list.body).toEqual({
      count: 1,
      next: null,
      previous: null,
      next_cursor: null,
      results: [
        {
          id: first.body.data.id,
          invoice_no: 'INV-10222',
          invoice_date: '2025-01-18',
          customer: seedInvoice.customer,
          salesman: { id: expect.any(Number), name: 'Ajay', phone: '' },
          created_by: 'admin',
          items: seedInvoice.items.map((item) => ({ id: expect.any(Number), ...item })),
          total_amount: 920,
          remarks: null,
          created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        },
      ],
    });

    await stream.until(() => stream.events.length === 1);
    expect(stream.events[0]?.id).toMatch(/^sales-invoices\.\d+$/);
    expect(stream.events[0]?.data).toEqual({ ...list.body.results[0], type: 'invoice_imported' });
    await stream.cut();
  });
});
