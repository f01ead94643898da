-- Billing's projections: subscriptions, invoices and refunds, dunning, and the points that recurring revenue follows from.

create table lifecycle.subscriptions (
  tenant_id uuid not null,
  subscription_id text not null,
  organization_id uuid,
  customer_id text,
  document_id text,
  plan text,
  status text,
  currency text,
  mrr bigint,
  period_start timestamptz,
  period_end timestamptz,
  created_at timestamptz,
  activated_at timestamptz,
  ended_at timestamptz,
  end_reason text,
  primary key (tenant_id, subscription_id)
);
create index subscriptions_by_organization on lifecycle.subscriptions (tenant_id, organization_id, created_at desc);
create index subscriptions_by_customer on lifecycle.subscriptions (customer_id);

create table lifecycle.invoices (
  tenant_id uuid not null,
  invoice_id text not null,
  organization_id uuid,
  subscription_id text,
  status text,
  currency text,
  amount_due bigint,
  amount_paid bigint,
  due_at timestamptz,
  issued_at timestamptz,
  ended_at timestamptz,
  attempt_count int,
  next_attempt_at timestamptz,
  decline_code text,
  hard_decline boolean,
  primary key (tenant_id, invoice_id)
);
create index invoices_by_time on lifecycle.invoices (tenant_id, issued_at desc, invoice_id);

create table lifecycle.refunds (
  tenant_id uuid not null,
  refund_id text not null,
  organization_id uuid,
  invoice_id text,
  currency text,
  amount bigint,
  reason text,
  refunded_at timestamptz,
  primary key (tenant_id, refund_id)
);
create index refunds_by_invoice on lifecycle.refunds (tenant_id, invoice_id);

create table lifecycle.dunning (
  tenant_id uuid not null,
  invoice_id text not null,
  organization_id uuid,
  stage text,
  day int,
  began_at timestamptz,
  stage_at timestamptz,
  ended_at timestamptz,
  primary key (tenant_id, invoice_id)
);
create index dunning_by_time on lifecycle.dunning (tenant_id, began_at desc, invoice_id);

create table lifecycle.mrr_points (
  tenant_id uuid not null,
  subscription_id text not null,
  effective_at timestamptz not null,
  event_id text not null,
  organization_id uuid,
  currency text,
  mrr bigint,
  cause text,
  primary key (tenant_id, subscription_id, effective_at, event_id)
);
create index mrr_points_by_organization on lifecycle.mrr_points (tenant_id, organization_id, effective_at desc);

-- Time-partitioned where TimescaleDB is there, a plain table else; what is written and read is the same. Not compressed,
-- so that row-level security holds.
do $$
begin
  if exists (select from pg_extension where extname = 'timescaledb') then
    perform create_hypertable('lifecycle.mrr_points', 'effective_at', chunk_time_interval => interval '90 days');
  end if;
end $$;

select lifecycle.make_projection(target, array['select', 'insert', 'update', 'delete']) from unnest(array[
  'lifecycle.subscriptions', 'lifecycle.invoices', 'lifecycle.refunds', 'lifecycle.dunning',
  'lifecycle.mrr_points']::regclass[]) as target;
