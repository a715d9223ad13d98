import type { Fragment } from '../import-invoice/fragment.js';

/** What a chunk of a file holds. */
export interface ParsedChunk {
  fragments: Fragment[];
  /** Lines that cannot be used, each with its reason. */
  refused: { record: string | null; line: number; reason: string }[];
  /** How many of them belong to no invoice that is staged, and so count by themselves. */
  strays: number;
}

export const newFragment = (invoiceNo: string, line: number): Fragment => ({
  invoice_no: invoiceNo,
  first_line: line,
  invoice_date: null,
  customer_code: null,
  customer_name: null,
  customer_area: null,
  customer_address1: null,
  customer_address2: null,
  customer_phone1: null,
  customer_phone2: null,
  customer_email: null,
  salesman: null,
  created_by: null,
  remarks: null,
  lines: [],
  names: [],
  item_codes: [],
  quantities: [],
  mrps: [],
  shelf_locations: [],
  item_remarks: [],
  bad_line: null,
});
