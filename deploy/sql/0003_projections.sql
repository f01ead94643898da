-- Projections: rows that follow from the topics alone. sinks/projections/ says which event changes which row; a test
-- compares these columns with the declarations there.
--
-- src_topic, src_part, src_offset: the record that last changed the row; a change from an earlier record is ignored.
-- changed_at: its event time. deleted_at: set in a tombstone, which keeps the key and nothing else, so that a replay
-- cannot bring the row back. No foreign keys: tables follow different topics. No now(): a rebuild gives the same rows.

-- Where each sink stands: moved in the transaction that writes its rows. epoch fences an earlier owner of the partition;
-- cluster, topic id and partition count tell another log from this one.
create table lifecycle.sink_offsets (
  sink text not null,
  topic text not null,
  part int not null,
  cluster_id text not null,
  topic_id text not null,
  partitions int not null,
  next_offset bigint not null,
  epoch bigint not null,
  primary key (sink, topic, part)
);
select lifecycle.protect('lifecycle.sink_offsets');
select lifecycle.allow('lifecycle.sink_offsets', 'sink', 'all');
-- Holds nothing of a tenant; a reader asks it whether its own write has arrived.
select lifecycle.allow('lifecycle.sink_offsets', 'api', 'select');

-- Adds the columns all projections have, the sink's policy, and the readers' policy.
create function lifecycle.make_projection(target regclass, sink_commands text[]) returns void
language plpgsql as $$
declare
  command text;
begin
  execute format('alter table %s
    add column src_topic text not null,
    add column src_part int not null,
    add column src_offset bigint not null,
    add column changed_at timestamptz not null,
    add column deleted_at timestamptz', target);
  perform lifecycle.protect(target);
  foreach command in array sink_commands loop
    perform lifecycle.allow(target, 'sink', command);
  end loop;
  perform lifecycle.allow(target, 'api', 'select',
    'deleted_at is null and tenant_id = any (array(select lifecycle.visible_tenants()))');
end $$;

create table lifecycle.organizations (
  tenant_id uuid not null,
  organization_id uuid not null,
  company_name text,
  domain text,
  industry text,
  owner_user_id uuid,
  plan_hint text,
  status text,
  suspended_reason text,
  created_at timestamptz,
  primary key (tenant_id, organization_id)
);

create table lifecycle.team_memberships (
  tenant_id uuid not null,
  organization_id uuid not null,
  user_id uuid not null,
  role text,
  joined_at timestamptz,
  primary key (tenant_id, organization_id, user_id)
);

create table lifecycle.audit_logs (
  tenant_id uuid not null,
  event_id text not null,
  organization_id uuid,
  event_type text,
  occurred_at timestamptz,
  actor_type text,
  actor_id text,
  user_id text,
  ip_hash text,
  detail jsonb,
  primary key (tenant_id, event_id)
);
create index audit_logs_by_time on lifecycle.audit_logs (tenant_id, occurred_at desc, event_id);

create table lifecycle.research_sessions (
  tenant_id uuid not null,
  research_session_id text not null,
  organization_id uuid,
  status text,
  plan jsonb,
  started_at timestamptz,
  ended_at timestamptz,
  findings_count int,
  competitors_count int,
  min_confidence double precision,
  cost_microdollars bigint,
  failure_reason text,
  stale_at timestamptz,
  primary key (tenant_id, research_session_id)
);
create index research_sessions_by_organization on lifecycle.research_sessions (tenant_id, organization_id, started_at desc);

create table lifecycle.research_findings (
  tenant_id uuid not null,
  finding_id text not null,
  organization_id uuid,
  research_session_id text,
  finding_type text,
  data jsonb,
  confidence_score double precision,
  finding_source text,
  citations jsonb,
  recorded_at timestamptz,
  primary key (tenant_id, finding_id)
);
create index research_findings_by_organization
  on lifecycle.research_findings (tenant_id, organization_id, finding_type, recorded_at desc);
create index research_findings_by_session on lifecycle.research_findings (tenant_id, research_session_id);

create table lifecycle.research_competitors (
  tenant_id uuid not null,
  organization_id uuid not null,
  competitor_key text not null,
  name text,
  url text,
  pricing jsonb,
  confidence_score double precision,
  identified_at timestamptz,
  primary key (tenant_id, organization_id, competitor_key)
);

create table lifecycle.enrichment_data (
  tenant_id uuid not null,
  organization_id uuid not null,
  finding_type text not null,
  field text not null,
  value jsonb,
  confidence_score double precision,
  finding_source text,
  finding_id text,
  found_at timestamptz,
  primary key (tenant_id, organization_id, finding_type, field)
);

create table lifecycle.lifecycle_instances (
  tenant_id uuid not null,
  organization_id uuid not null,
  lifecycle_id text,
  template text,
  template_version int,
  stage text,
  stage_reason text,
  stage_at timestamptz,
  current_step text,
  status text,
  started_at timestamptz,
  ended_at timestamptz,
  ms bigint,
  abort_reason text,
  compensated jsonb,
  primary key (tenant_id, organization_id)
);
create index lifecycle_instances_by_stage on lifecycle.lifecycle_instances (tenant_id, stage);

create table lifecycle.lifecycle_steps (
  tenant_id uuid not null,
  organization_id uuid not null,
  step text not null,
  status text,
  started_at timestamptz,
  deadline timestamptz,
  ended_at timestamptz,
  ms bigint,
  failure_class text,
  failed_attempts int,
  primary key (tenant_id, organization_id, step)
);

create table lifecycle.review_queue (
  tenant_id uuid not null,
  review_id text not null,
  organization_id uuid,
  status text,
  subject_type text,
  subject_ref text,
  reason text,
  risk text,
  proposed_action jsonb,
  options jsonb,
  requester text,
  requested_at timestamptz,
  due_at timestamptz,
  queue text,
  claimed_by text,
  lease_until timestamptz,
  decision text,
  edits jsonb,
  comment text,
  decided_by text,
  decided_at timestamptz,
  ms bigint,
  fallback text,
  primary key (tenant_id, review_id)
);
create index review_queue_waiting on lifecycle.review_queue (tenant_id, due_at) where status in ('open', 'claimed');
create index review_queue_by_organization on lifecycle.review_queue (tenant_id, organization_id);

select lifecycle.make_projection(target, array['select', 'insert', 'update', 'delete']) from unnest(array[
  'lifecycle.organizations', 'lifecycle.team_memberships', 'lifecycle.research_sessions', 'lifecycle.research_findings',
  'lifecycle.research_competitors', 'lifecycle.enrichment_data', 'lifecycle.lifecycle_instances',
  'lifecycle.lifecycle_steps', 'lifecycle.review_queue']::regclass[]) as target;

-- Append-only: the sink cannot change an audit row, and deletes it only inside a rebuild.
select lifecycle.make_projection('lifecycle.audit_logs', array['select', 'insert']);
select lifecycle.allow('lifecycle.audit_logs', 'sink', 'delete', $$current_setting('app.rebuild', true) = 'audit-logs'$$);

-- How urgent an open review is: risk first, then minutes overdue. The reader says what time it is.
create function lifecycle.review_priority(risk text, due_at timestamptz, at timestamptz) returns int
language sql immutable parallel safe as $$
  select case risk when 'high' then 3 when 'medium' then 2 else 1 end * 100
    + greatest(0, least(1000000, floor(extract(epoch from at - due_at) / 60)))::int
$$;
grant execute on function lifecycle.review_priority(text, timestamptz, timestamptz) to lifecycle_api;
