-- What happened to each organization, over all topics: one table per topic, because a projected row has one source topic,
-- and a view over them. Rows hold nothing about a person (sinks/projections/timeline.ts).
--
-- Append-only like audit_logs. The sink deletes a row inside a rebuild, or when it is older than the timeline is kept
-- (deploy/timeline-sweep.ts), and says which of the two it is doing.

do $$
declare
  topic text;
  target text;
begin
  foreach topic in array array[
    'auth_events', 'client_events', 'research_events', 'demo_events', 'document_events', 'billing_events', 'prd_events',
    'config_events', 'knowledge_events', 'conversation_events', 'voice_events', 'monitoring_events', 'analytics_events',
    'success_events', 'support_events', 'crm_events', 'communication_events', 'review_events'
  ] loop
    target := 'lifecycle.timeline_' || topic;
    execute format('create table %s (
      tenant_id uuid not null,
      event_id text not null,
      organization_id uuid,
      event_type text,
      occurred_at timestamptz,
      causation_id text,
      correlation_id text,
      source text,
      actor_type text,
      actor_id text,
      summary jsonb,
      primary key (tenant_id, event_id)
    )', target);
    perform lifecycle.make_projection(target::regclass, array['select', 'insert']);
    perform lifecycle.allow(target::regclass, 'sink', 'delete', format(
      'current_setting(''app.rebuild'', true) = %L or current_setting(''app.sweep'', true) = ''timeline''',
      'timeline-' || replace(topic, '_', '-')));
    -- A page of one organization; what an event caused; what is new behind a position; what is too old.
    execute format('create index on %s (tenant_id, organization_id, occurred_at desc, event_id)', target);
    execute format('create index on %s (tenant_id, causation_id)', target);
    execute format('create index on %s (tenant_id, src_part, src_offset)', target);
    execute format('create index on %s using brin (occurred_at)', target);
  end loop;
end $$;

-- With the rights of whoever asks: the policies of the tables decide.
create view lifecycle.timeline with (security_invoker = true) as
  select * from lifecycle.timeline_auth_events
  union all select * from lifecycle.timeline_client_events
  union all select * from lifecycle.timeline_research_events
  union all select * from lifecycle.timeline_demo_events
  union all select * from lifecycle.timeline_document_events
  union all select * from lifecycle.timeline_billing_events
  union all select * from lifecycle.timeline_prd_events
  union all select * from lifecycle.timeline_config_events
  union all select * from lifecycle.timeline_knowledge_events
  union all select * from lifecycle.timeline_conversation_events
  union all select * from lifecycle.timeline_voice_events
  union all select * from lifecycle.timeline_monitoring_events
  union all select * from lifecycle.timeline_analytics_events
  union all select * from lifecycle.timeline_success_events
  union all select * from lifecycle.timeline_support_events
  union all select * from lifecycle.timeline_crm_events
  union all select * from lifecycle.timeline_communication_events
  union all select * from lifecycle.timeline_review_events;
grant select on lifecycle.timeline to lifecycle_api;
