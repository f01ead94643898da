-- Rows that the topics give again: the offsets go with them, so that the sinks begin anew.
drop function lifecycle.review_priority(text, timestamptz, timestamptz);
drop table lifecycle.organizations, lifecycle.team_memberships, lifecycle.audit_logs, lifecycle.research_sessions,
  lifecycle.research_findings, lifecycle.research_competitors, lifecycle.enrichment_data,
  lifecycle.lifecycle_instances, lifecycle.lifecycle_steps, lifecycle.review_queue;
drop function lifecycle.make_projection(regclass, text[]);
drop table lifecycle.sink_offsets;
