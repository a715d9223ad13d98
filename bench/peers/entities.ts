import {
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';

/** The product's own tables, as someone who writes TypeORM would map them. */
@Entity({ schema: 'sales', name: 'customer' })
export class Customer {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text', { unique: true }) code: string;
  @Column('text', { nullable: true }) name: string | null;
  @Column('text', { nullable: true }) area: string | null;
  @Column('text', { nullable: true }) address1: string | null;
  @Column('text', { nullable: true }) address2: string | null;
  @Column('text', { nullable: true }) phone1: string | null;
  @Column('text', { nullable: true }) phone2: string | null;
  @Column('text', { nullable: true }) email: string | null;
}

@Entity({ schema: 'sales', name: 'salesman' })
export class Salesman {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text', { unique: true }) name: string;
  @Column('text', { default: '' }) phone: string;
}

@Entity({ schema: 'sales', name: 'invoice' })
export class Invoice {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text', { unique: true }) invoice_no: string;
  @Column('date') invoice_date: string;
  @ManyToOne(() => Customer) @JoinColumn({ name: 'customer_id' }) customer: Relation<Customer>;
  @ManyToOne(() => Salesman, { nullable: true })
  @JoinColumn({ name: 'salesman_id' })
  salesman: Relation<Salesman> | null;
  @Column('text', { nullable: true }) created_by: string | null;
  @Column('text', { nullable: true }) created_user: string | null;
  @Column('text', { nullable: true }) remarks: string | null;
  @Column('numeric', { precision: 19, scale: 2, default: 0 }) total_amount: string;
  @Column('timestamptz', { nullable: true }) deleted_at: Date | null;
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) created_at: Date;
  @OneToMany(() => InvoiceItem, (item) => item.invoice, { cascade: ['insert'] })
  items: Relation<InvoiceItem>[];
}

@Entity({ schema: 'sales', name: 'invoice_item' })
export class InvoiceItem {
  @Column({ type: 'bigint', insert: false, update: false }) id: string;
  @PrimaryColumn('bigint', { name: 'invoice_id' }) invoice_id: string;
  @PrimaryColumn('integer') position: number;
  @ManyToOne(() => Invoice, (invoice) => invoice.items)
  @JoinColumn({ name: 'invoice_id' })
  invoice: Relation<Invoice>;
  @Column('text') name: string;
  @Column('text', { default: '' }) item_code: string;
  @Column('numeric', { precision: 15, scale: 4 }) quantity: string;
  @Column('numeric', { precision: 15, scale: 4 }) mrp: string;
  @Column('text', { default: '' }) shelf_location: string;
  @Column('text', { default: '' }) remarks: string;
}

@Entity({ schema: 'platform', name: 'idempotency_answer' })
export class IdempotencyAnswer {
  @PrimaryColumn('text') identity: string;
  @PrimaryColumn('text') key: string;
  @Column('text') operation: string;
  @Column('text') body_hash: string;
  @Column('integer') status: number;
  @Column('text') body: string;
}

@Entity({ schema: 'platform', name: 'outbox' })
export class OutboxRow {
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id: string;
  @Column('text') topic: string;
  @Column('text') type: string;
  @Column('text') aggregate_id: string;
  @Column('text', { nullable: true }) body: string | null;
}

export const ENTITIES = [Customer, Salesman, Invoice, InvoiceItem, IdempotencyAnswer, OutboxRow];
