/** One line of an invoice as POST /api/sales/import/invoice/ takes it. */
export interface SampleItem {
  name: string;
  item_code: string;
  quantity: number;
  mrp: number;
  shelf_location: string;
  remarks: string;
}

/** An invoice as POST /api/sales/import/invoice/ takes it. */
export interface SampleInvoice {
  invoice_no: string;
  invoice_date: string;
  salesman: string;
  created_by: string;
  customer: Record<
    'code' | 'name' | 'area' | 'address1' | 'address2' | 'phone1' | 'phone2' | 'email',
    string
  >;
  items: SampleItem[];
  remarks?: string;
}

const INVOICES = 240;
const SEED = 20_251_120;
const FIRST_DAY = Date.UTC(2025, 0, 2);
const DAYS = 320;

const SALESMEN = ['Ajay', 'Deepa', 'Farhan', 'Leena'];

const CUSTOMERS: [name: string, area: string, address: string][] = [
  ['LifeCare Pharmacy', 'Kozhikode', 'Near Railway Station'],
  ['City Medicals', 'Kochi', '14 MG Road'],
  ['Green Cross Drugs', 'Thrissur', 'Round South'],
  ['Sunrise Clinic Stores', 'Kannur', 'Fort Road'],
  ['Malabar Health Centre', 'Malappuram', 'Up Hill'],
  ['Corner Chemist', 'Kochi', '3 Broadway'],
  ['Apollo Street Medicals', 'Palakkad', 'College Road'],
  ['Hilltop Dispensary', 'Wayanad', 'Main Road, Kalpetta'],
  ['Mother & Child Pharmacy', 'Kozhikode', 'Mavoor Road'],
  ["St. Mary's Hospital Stores", 'Kottayam', 'KK Road'],
  ['Café Santé Wellness', 'Kochi', 'Princess Street'],
  ['Coastal Surgicals', 'Alappuzha', 'Boat Jetty Road'],
];

/** Name, code, price (4 decimals at most, as unit prices have) and shelf. */
const ITEMS: [name: string, code: string, price: number, shelf: string][] = [
  ['Paracetamol 650mg', 'PR650', 3.5, 'R-12'],
  ['Otrivin Nasal Spray', 'OTN10', 85, 'G-04'],
  ['Amoxicillin 500mg', 'AMX500', 9.75, 'R-03'],
  ['Azithromycin 250mg', 'AZI250', 18.4, 'R-04'],
  ['Cetirizine 10mg', 'CET10', 2.15, 'R-08'],
  ['Ibuprofen 400mg', 'IBU400', 2.85, 'R-13'],
  ['Omeprazole 20mg', 'OMP20', 4.6, 'R-15'],
  ['Pantoprazole 40mg', 'PAN40', 7.2, 'R-16'],
  ['Metformin 500mg', 'MET500', 1.9525, 'D-01'],
  ['Glimepiride 2mg', 'GLI2', 5.3, 'D-02'],
  ['Insulin Pen Needles', 'IPN32', 12.25, 'D-09'],
  ['Glucose Test Strips (50)', 'GTS50', 899, 'D-10'],
  ['Amlodipine 5mg', 'AML5', 2.4, 'C-01'],
  ['Telmisartan 40mg', 'TEL40', 6.85, 'C-02'],
  ['Atorvastatin 10mg', 'ATO10', 8.1, 'C-04'],
  ['Aspirin 75mg', 'ASP75', 0.3475, 'C-05'],
  ['Vitamin D3 60K', 'VD360', 31.5, 'V-01'],
  ['Vitamin C Chewable', 'VITC', 1.25, 'V-02'],
  ['B-Complex Capsules', 'BCX', 3.1, 'V-03'],
  ['Calcium + D3', 'CALD3', 6.45, 'V-05'],
  ['ORS Sachet Orange', 'ORS21', 21.5, 'G-01'],
  ['Cough Syrup 100ml', 'CSY100', 96, 'G-02'],
  ['Antacid Gel 170ml', 'ANT170', 118, 'G-03'],
  ['Saline Nasal Drops', 'SND15', 42, 'G-05'],
  ['Eye Drops Lubricant', 'EDL10', 135.5, 'G-07'],
  ['Antiseptic Liquid 250ml', 'ASL250', 124, 'G-10'],
  ['Hand Sanitizer 500ml', 'HSN500', 199, 'G-11'],
  ['Surgical Mask (50)', 'SMK50', 149.5, 'S-01'],
  ['Nitrile Gloves M (100)', 'NGM100', 549, 'S-02'],
  ['Cotton Roll 400g', 'COT400', 168, 'S-03'],
  ['Crepe Bandage 10cm', 'CRB10', 112.75, 'S-04'],
  ['Adhesive Plaster Box', 'ADP100', 89, 'S-05'],
  ['Gauze Swabs (100)', 'GZS100', 76.5, 'S-06'],
  ['Syringe 5ml', 'SYR5', 4.9, 'S-08'],
  ['IV Set', 'IVS', 58, 'S-09'],
  ['Digital Thermometer', 'DTH', 189, 'E-01'],
  ['BP Monitor', 'BPM', 1849, 'E-02'],
  ['Pulse Oximeter', 'POX', 1249.5, 'E-03'],
  ['Nebulizer', 'NEB', 1699, 'E-04'],
  ['Hot Water Bag', 'HWB', 245, 'E-06'],
];

/** The same invoices on every machine and every day; about one in twenty is a return. */
export function sampleInvoices(): SampleInvoice[] {
  const random = mulberry32(SEED);
  const pick = (count: number): number => Math.floor(random() * count);
  return Array.from({ length: INVOICES }, (_, index) => {
    const salesman = SALESMEN[pick(SALESMEN.length)] ?? 'Ajay';
    const isReturn = random() < 0.05;
    const items = sampleItems(isReturn ? 1 + pick(2) : 1 + pick(8), isReturn, pick);
    const day = FIRST_DAY + Math.floor((index * DAYS) / INVOICES) * 86_400_000;
    return {
      invoice_no: `INV-${70_001 + index}`,
      invoice_date: new Date(day).toISOString().slice(0, 10),
      salesman,
      created_by: 'sample',
      customer: sampleCustomer(pick(CUSTOMERS.length)),
      items,
      ...(isReturn ? { remarks: 'Goods returned' } : {}),
    };
  });
}

/** {@link sampleInvoices} in the form that the file import reads: one JSON object a line. */
export function samplesAsNdjson(): string {
  return sampleInvoices()
    .map((invoice) => `${JSON.stringify(invoice)}\n`)
    .join('');
}

function sampleItems(count: number, isReturn: boolean, pick: (count: number) => number): SampleItem[] {
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(pick(ITEMS.length));
  return [...chosen].map((index) => {
    const [name, code, price, shelf] = ITEMS[index] ?? ['', '', 0, ''];
    // Nobody buys thirty blood pressure monitors.
    const quantity = 1 + pick(price > 500 ? 3 : price > 50 ? 12 : 60);
    return {
      name,
      item_code: code,
      quantity: isReturn ? -quantity : quantity,
      mrp: price,
      shelf_location: shelf,
      remarks: isReturn ? 'damaged in transit' : '',
    };
  });
}

function sampleCustomer(index: number): SampleInvoice['customer'] {
  const [name, area, address1] = CUSTOMERS[index] ?? ['', '', ''];
  const code = `CUST-${880 + index}`;
  return {
    code,
    name,
    area,
    address1,
    address2: '',
    phone1: `98765432${String(10 + index)}`,
    phone2: '',
    email: `${code.toLowerCase()}@example.com`,
  };
}

/** A small generator with a 32-bit state (Tommy Ettinger's mulberry32): good enough for samples, the same everywhere. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
