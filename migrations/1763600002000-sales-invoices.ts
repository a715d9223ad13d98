import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SalesInvoices1763600002000 implements MigrationInterface {
  name = 'SalesInvoices1763600002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(COUNT);
    await runner.query(DOCUMENT);
    await runner.query(INVOICE_TRIGGERS);
    await runner.query(ITEM_TRIGGERS);
    await runner.query(FILE_IMPORT);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only run forward'));
  }
}

const TABLES = `
create schema sales;

create table sales.customer (
  id bigint generated always as identity primary key,
  code text not null unique check (length(code) between 1 and 64),
  -- Null until somebody says: an import that leaves a field out never blanks it.
  name text,
  area text,
  address1 text,
  address2 text,
  phone1 text,
  phone2 text,
  email text,
  created_at timestamptz not null default clock_timestamp()
);

create table sales.salesman (
  id bigint generated always as identity primary key,
  name text not null unique check (length(name) between 1 and 120),
  phone text not null default ''
);

create table sales.invoice (
  id bigint generated always as identity primary key,
  invoice_no text not null unique check (length(invoice_no) between 1 and 64),
  invoice_date date not null,
  customer_id bigint not null references sales.customer,
  salesman_id bigint references sales.salesman,
  -- A label out of the import; who really did it is created_user.
  created_by text,
  created_user text,
  remarks text,
  total_amount numeric(19, 2) not null default 0,
  -- Of the last accepted import; null for rows that another program wrote.
  content_hash bytea,
  version integer not null default 1,
  deleted_at timestamptz,
  created_at timestamptz not null default clock_timestamp()
);
create index invoice_customer on sales.invoice (customer_id, id desc);
create index invoice_salesman on sales.invoice (salesman_id, id desc);
create index invoice_date on sales.invoice (invoice_date);
create index invoice_no_words on sales.invoice using gin (invoice_no gin_trgm_ops);

-- A line is identified by its position in the invoice, from 1.
create table sales.invoice_item (
  id bigint generated always as identity,
  invoice_id bigint not null references sales.invoice on delete cascade,
  position integer not null,
  name text not null,
  item_code text not null default '',
  quantity numeric(15, 4) not null,
  mrp numeric(15, 4) not null,
  shelf_location text not null default '',
  remarks text not null default '',
  primary key (invoice_id, position)
);

create function sales.fill_position() returns trigger language plpgsql as $$
begin
  -- Two who add lines to one invoice at once take turns.
  perform from sales.invoice where id = new.invoice_id for no key update;
  select coalesce(max(position), 0) + 1 into new.position from sales.invoice_item where invoice_id = new.invoice_id;
  return new;
end $$;
create trigger invoice_item_position before insert on sales.invoice_item
  for each row when (new.position is null) execute function sales.fill_position();
`;

const COUNT = `
-- The number of invoices that are not deleted is the sum: writers add rows and never wait for each other.
create table sales.invoice_count (n bigint not null);
insert into sales.invoice_count values (0);

-- Folds the rows into one; readers see the sum before or after, which are equal.
create function sales.fold_invoice_count() returns void language sql as $$
  with folded as (delete from sales.invoice_count returning n)
  insert into sales.invoice_count select coalesce(sum(n), 0) from folded
$$;
`;

const DOCUMENT = `
-- An invoice as the API shows it.
create view sales.invoice_document as
select i.id, row_to_json(d) as body
from sales.invoice i
join sales.customer c on c.id = i.customer_id
left join sales.salesman s on s.id = i.salesman_id
cross join lateral (
  select i.id, i.invoice_no, i.invoice_date,
    (select row_to_json(x) from (
       select c.code, coalesce(c.name, '') as name, coalesce(c.area, '') as area, coalesce(c.address1, '') as address1,
         coalesce(c.address2, '') as address2, coalesce(c.phone1, '') as phone1, coalesce(c.phone2, '') as phone2,
         coalesce(c.email, '') as email) x) as customer,
    case when s.id is not null then (select row_to_json(x) from (select s.id, s.name, s.phone) x) end as salesman,
    i.created_by,
    (select coalesce(json_agg(row_to_json(x)), '[]') from (
       select l.id, l.name, l.item_code, trim_scale(l.quantity) as quantity, trim_scale(l.mrp) as mrp,
              l.shelf_location, l.remarks
       from sales.invoice_item l where l.invoice_id = i.id order by l.position) x) as items,
    i.total_amount, i.remarks, platform.iso(i.created_at) as created_at
) d;

create function sales.wire_type(type text) returns text language sql immutable parallel safe
  as $$ select replace(split_part(type, '.', 2), '-', '_') $$;

-- What the invoice stream says: the document and what happened to it.
create function sales.render_invoice_events(ids text[], types text[]) returns table (ord bigint, body text)
language sql stable as $$
  select e.ord, left(d.body::text, -1) || ',"type":"' || sales.wire_type(e.type) || '"}'
  from unnest(ids, types) with ordinality as e (id, type, ord)
  join sales.invoice_document d on d.id = e.id::bigint
$$;
`;

const INVOICE_TRIGGERS = `
-- Our own connections say so; whoever does not is another program.
create function sales.writes_directly() returns boolean language sql stable
  as $$ select coalesce(current_setting('instep.app', true), '') <> 'on' $$;

-- The only producer of invoice events and counts, for our own writes as for another program's. The sequencer
-- renders the rows after commit; our own writers wake it then, another program's wake it from here.
create function sales.tell_sequencer() returns void language plpgsql as $$
begin
  if sales.writes_directly() then perform pg_notify('instep_outbox', ''); end if;
end $$;

create function sales.invoice_added() returns trigger language plpgsql as $$
begin
  insert into platform.outbox (topic, type, aggregate_id)
    select 'sales.invoice', 'sales.invoice-imported.v1', id::text from added order by added.id
    on conflict (topic, aggregate_id, xid) do nothing;
  insert into sales.invoice_count select count(*) from added where deleted_at is null having count(*) > 0;
  perform sales.tell_sequencer();
  return null;
end $$;

create function sales.invoice_changed() returns trigger language plpgsql as $$
begin
  insert into platform.outbox (topic, type, aggregate_id)
    select 'sales.invoice',
      case when o.deleted_at is null and n.deleted_at is not null then 'sales.invoice-deleted.v1' else 'sales.invoice-updated.v1' end,
      n.id::text
    from old_rows o join new_rows n using (id) where o.* is distinct from n.* and (o.deleted_at is null or n.deleted_at is null) order by n.id
    on conflict (topic, aggregate_id, xid) do update set type = excluded.type
      where excluded.type = 'sales.invoice-deleted.v1';
  insert into sales.invoice_count
    select sum((n.deleted_at is null)::int - (o.deleted_at is null)::int) from old_rows o join new_rows n using (id)
    having sum((n.deleted_at is null)::int - (o.deleted_at is null)::int) <> 0;
  perform sales.tell_sequencer();
  return null;
end $$;

-- What is left to say of an invoice that is gone.
create function sales.last_words(gone sales.invoice, type text) returns text language sql stable as $$
  select json_build_object('id', gone.id, 'invoice_no', gone.invoice_no, 'invoice_date', gone.invoice_date,
    'total_amount', gone.total_amount, 'type', sales.wire_type(type))::text
$$;

create function sales.invoice_removed() returns trigger language plpgsql as $$
begin
  -- Events that nobody rendered yet could not be rendered any more.
  update platform.outbox o set body = sales.last_words(r::sales.invoice, o.type) from removed r
    where o.topic = 'sales.invoice' and o.aggregate_id = r.id::text and o.body is null and not o.sequenced;
  insert into platform.outbox (topic, type, aggregate_id, body)
    select 'sales.invoice', 'sales.invoice-deleted.v1', r.id::text,
      sales.last_words(r::sales.invoice, 'sales.invoice-deleted.v1')
    from removed r where r.deleted_at is null order by r.id
    on conflict (topic, aggregate_id, xid) do update set type = excluded.type, body = excluded.body;
  insert into sales.invoice_count select -count(*) from removed where deleted_at is null having count(*) > 0;
  perform sales.tell_sequencer();
  return null;
end $$;

create function sales.invoices_truncated() returns trigger language plpgsql as $$
begin
  delete from sales.invoice_count;
  insert into sales.invoice_count values (0);
  return null;
end $$;

create trigger invoice_added after insert on sales.invoice referencing new table as added
  for each statement execute function sales.invoice_added();
create trigger invoice_changed after update on sales.invoice referencing old table as old_rows new table as new_rows
  for each statement execute function sales.invoice_changed();
create trigger invoice_removed after delete on sales.invoice referencing old table as removed
  for each statement execute function sales.invoice_removed();
create trigger invoice_truncated after truncate on sales.invoice
  for each statement execute function sales.invoices_truncated();
`;

const ITEM_TRIGGERS = `
-- Lines change their invoice. Our own writers change the invoice row (total, version) in the same transaction, and
-- its trigger tells; for another program the total is kept here, which makes that trigger tell of it.
create function sales.items_changed() returns trigger language plpgsql as $$
begin
  -- First the locks, then a statement of its own that sees what those who held them wrote.
  perform from sales.invoice where id in (select invoice_id from touched) order by id for no key update;
  update sales.invoice i set total_amount = t.total, version = i.version + 1
  from (select invoice_id, coalesce((select sum(round(quantity * mrp, 2)) from sales.invoice_item l
                                     where l.invoice_id = x.invoice_id), 0) as total
        from (select distinct invoice_id from touched) x) t
  where i.id = t.invoice_id;
  return null;
end $$;

create trigger items_added after insert on sales.invoice_item referencing new table as touched
  for each statement when (sales.writes_directly()) execute function sales.items_changed();
-- A line may have moved from one invoice to another: both change.
create function sales.items_moved() returns trigger language plpgsql as $$
begin
  perform from sales.invoice where id in (select invoice_id from old_rows union select invoice_id from new_rows)
    order by id for no key update;
  update sales.invoice i set total_amount = t.total, version = i.version + 1
  from (select invoice_id, coalesce((select sum(round(quantity * mrp, 2)) from sales.invoice_item l
                                     where l.invoice_id = x.invoice_id), 0) as total
        from (select invoice_id from old_rows union select invoice_id from new_rows) x) t
  where i.id = t.invoice_id;
  return null;
end $$;
create trigger items_updated after update on sales.invoice_item referencing old table as old_rows new table as new_rows
  for each statement when (sales.writes_directly()) execute function sales.items_moved();
create trigger items_removed after delete on sales.invoice_item referencing old table as touched
  for each statement when (sales.writes_directly()) execute function sales.items_changed();
`;

const FILE_IMPORT = `
-- A file on its way in, cut at record boundaries, so that any worker can go on from any chunk.
create table sales.import_file (
  id uuid primary key default gen_random_uuid(),
  -- Null until it has arrived whole; such rows are orphans of a broken upload.
  session_id uuid unique,
  format text not null check (format in ('csv', 'ndjson')),
  columns jsonb,
  default_customer_code text,
  bytes bigint not null default 0,
  chunks integer not null default 0,
  created_at timestamptz not null default clock_timestamp()
);

create table sales.import_chunk (
  file_id uuid not null references sales.import_file on delete cascade,
  no integer not null,
  first_line bigint not null,
  -- Bytes of the file up to and with this chunk.
  end_byte bigint not null,
  data bytea not null,
  primary key (file_id, no)
);
alter table sales.import_chunk alter column data set storage external;

-- Lines of one invoice that stand in one chunk, of invoices that stand in several.
create table sales.import_fragment (
  session_id uuid not null,
  invoice_no text not null,
  first_line bigint not null,
  customer_code text,
  -- A line that was refused, which refuses the invoice.
  bad_line bigint,
  body json not null
);
create index import_fragment_invoice on sales.import_fragment (session_id, invoice_no, first_line);

-- The staged invoices of a file in the order of their first lines.
create table sales.import_invoice (
  session_id uuid not null,
  ordinal bigint not null,
  invoice_no text not null,
  first_line bigint not null,
  refusal text,
  primary key (session_id, ordinal)
);
`;
