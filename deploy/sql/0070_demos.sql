-- Demos and what came of them; sinks/projections/demos.ts and client-milestones.ts say which event changes which row.

create table lifecycle.demos (
  tenant_id uuid not null,
  demo_id text not null,
  organization_id uuid,
  status text,
  version int,
  url text,
  qr_ref jsonb,
  published_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  end_reason text,
  primary key (tenant_id, demo_id)
);
create index demos_by_time on lifecycle.demos (tenant_id, published_at desc, demo_id);

create table lifecycle.demo_versions (
  tenant_id uuid not null,
  demo_id text not null,
  version int not null,
  organization_id uuid,
  research_session_id text,
  page_ref jsonb,
  personalization jsonb,
  model text,
  generated_at timestamptz,
  published_at timestamptz,
  primary key (tenant_id, demo_id, version)
);

create table lifecycle.demo_engagement (
  tenant_id uuid not null,
  demo_id text not null,
  organization_id uuid,
  score int,
  sessions int,
  viewers int,
  steps_completed int,
  dwell_ms bigint,
  cta_clicked boolean,
  bots_ignored int,
  changed_score_at timestamptz,
  primary key (tenant_id, demo_id)
);

create table lifecycle.demo_engaged (
  tenant_id uuid not null,
  demo_id text not null,
  organization_id uuid,
  score int,
  sessions int,
  engaged_at timestamptz,
  primary key (tenant_id, demo_id)
);

create table lifecycle.demo_chat_messages (
  tenant_id uuid not null,
  demo_id text not null,
  session_id text not null,
  message_id text not null,
  role text not null,
  organization_id uuid,
  excerpt text,
  finding_ids jsonb,
  said_at timestamptz,
  primary key (tenant_id, demo_id, session_id, message_id, role)
);

create table lifecycle.client_milestones (
  tenant_id uuid not null,
  organization_id uuid not null,
  step text not null,
  reached_at timestamptz,
  ms bigint,
  primary key (tenant_id, organization_id, step)
);

select lifecycle.make_projection(target, array['select', 'insert', 'update', 'delete']) from unnest(array[
  'lifecycle.demos', 'lifecycle.demo_versions', 'lifecycle.demo_engagement', 'lifecycle.demo_engaged',
  'lifecycle.demo_chat_messages', 'lifecycle.client_milestones']::regclass[]) as target;

-- The way of each organization that was shown a demo. Read with the asker's own rights, and joined within a tenant only.
-- A demo counts from its first publication; a new version does not move it to another month.
create view lifecycle.client_funnel with (security_invoker = true) as
  select d.tenant_id, d.organization_id, d.demo_id,
    coalesce(v.published_at, d.published_at) as demo_at,
    e.engaged_at, n.reached_at as nda_at, c.reached_at as signed_at, b.reached_at as paid_at
  from lifecycle.demos d
    left join lateral (select min(published_at) as published_at from lifecycle.demo_versions v
      where v.tenant_id = d.tenant_id and v.demo_id = d.demo_id and v.deleted_at is null) v on true
    left join lifecycle.demo_engaged e
      on e.tenant_id = d.tenant_id and e.demo_id = d.demo_id and e.deleted_at is null
    left join lifecycle.client_milestones n
      on n.tenant_id = d.tenant_id and n.organization_id = d.organization_id and n.step = 'nda' and n.deleted_at is null
    left join lifecycle.client_milestones c
      on c.tenant_id = d.tenant_id and c.organization_id = d.organization_id and c.step = 'contract' and c.deleted_at is null
    left join lifecycle.client_milestones b
      on b.tenant_id = d.tenant_id and b.organization_id = d.organization_id and b.step = 'billing' and b.deleted_at is null
  where d.deleted_at is null;

-- Of the demos first published in a month (UTC): how many engaged their viewers, and how many led to a signed NDA.
create view lifecycle.demo_cohorts with (security_invoker = true) as
  select tenant_id, to_char(demo_at at time zone 'UTC', 'YYYY-MM') as month,
    count(*)::int as published, count(engaged_at)::int as engaged, count(nda_at)::int as nda_signed,
    count(signed_at)::int as contract_signed, count(paid_at)::int as paid
  from lifecycle.client_funnel
  group by 1, 2;

grant select on lifecycle.client_funnel, lifecycle.demo_cohorts to lifecycle_api;
