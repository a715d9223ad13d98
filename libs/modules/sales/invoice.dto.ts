import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsEmail,
  IsObject,
  IsOptional,
  IsString,
  MaxLength,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsNotBlank } from '#platform/http/not-blank.js';
import { IsDecimalAmount, PRICE, QUANTITY } from '#platform/http/money.js';
import { IsRealDate } from '#platform/http/real-date.js';

export const MAX_ITEMS = 10_000;

/** A customer as invoices name it. Fields that are left out keep what is stored. */
export class CustomerBody {
  /** @example CUST-889 */
  @IsNotBlank() @MaxLength(64) code: string;
  /** @example LifeCare Pharmacy */
  @IsOptional() @IsString() @MaxLength(200) name?: string | null;
  /** @example Kozhikode */
  @IsOptional() @IsString() @MaxLength(120) area?: string | null;
  /** @example Near Railway Station */
  @IsOptional() @IsString() @MaxLength(200) address1?: string | null;
  @IsOptional() @IsString() @MaxLength(200) address2?: string | null;
  /** @example "9876543210" */
  @IsOptional() @IsString() @MaxLength(40) phone1?: string | null;
  @IsOptional() @IsString() @MaxLength(40) phone2?: string | null;
  /** @example lifecare@shop.com */
  @IsOptional() @ValidateIf((c: CustomerBody) => c.email !== '') @IsEmail() @MaxLength(200) email?:
    string | null;
}

/** One line of an invoice. */
export class ItemBody {
  /** @example Paracetamol 650mg */
  @IsNotBlank() @MaxLength(300) name: string;
  /** @example PR650 */
  @IsOptional() @IsString() @MaxLength(64) item_code?: string | null;
  /**
   * Negative for a return.
   * @example 20
   */
  @IsDecimalAmount(QUANTITY) quantity: number | string;
  /**
   * Price of one.
   * @example 3.5
   */
  @IsDecimalAmount(PRICE) mrp: number | string;
  /** @example R-12 */
  @IsOptional() @IsString() @MaxLength(64) shelf_location?: string | null;
  @IsOptional() @IsString() @MaxLength(500) remarks?: string | null;
}

/** What an invoice says beside its number. */
export class InvoiceBody {
  /** @example 2025-01-18 */
  @IsRealDate() invoice_date: string;
  /** @example Ajay */
  @IsOptional() @IsNotBlank() @MaxLength(120) salesman?: string | null;
  /**
   * A label; who really did it is recorded in the audit log.
   * @example admin
   */
  @IsOptional() @IsString() @MaxLength(120) created_by?: string | null;
  @IsOptional() @IsString() @MaxLength(2000) remarks?: string | null;
  @IsObject() @ValidateNested() @Type(() => CustomerBody) customer: CustomerBody;
  @IsArray()
  @ArrayMinSize(1, { message: 'must have at least one line' })
  @ArrayMaxSize(MAX_ITEMS)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ItemBody)
  items: ItemBody[];
}

export class CustomerView {
  /** @example CUST-889 */
  code: string;
  name: string;
  area: string;
  address1: string;
  address2: string;
  phone1: string;
  phone2: string;
  email: string;
}

export class SalesmanView {
  /** @example 1 */
  id: number;
  /** @example Ajay */
  name: string;
  phone: string;
}

export class ItemView {
  /** @example 45 */
  id: number;
  /** @example Paracetamol 650mg */
  name: string;
  item_code: string;
  /** @example 20 */
  quantity: number;
  /** @example 3.5 */
  mrp: number;
  shelf_location: string;
  remarks: string;
}

/** An invoice with its customer, salesman and lines. */
export class InvoiceView {
  /** @example 31 */
  id: number;
  /** @example INV-77052 */
  invoice_no: string;
  /** @example 2025-01-18 */
  invoice_date: string;
  customer: CustomerView;
  salesman: SalesmanView | null;
  created_by: string | null;
  items: ItemView[];
  /** @example 920 */
  total_amount: number;
  remarks: string | null;
  /** @example 2025-12-10T12:14:31.800Z */
  created_at: string;
}
