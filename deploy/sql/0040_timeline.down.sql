-- The topics give the rows again: the offsets go with them, so that the sinks begin anew.
delete from lifecycle.sink_offsets where sink like 'timeline-%';
drop view lifecycle.timeline;
drop table lifecycle.timeline_auth_events, lifecycle.timeline_client_events, lifecycle.timeline_research_events,
  lifecycle.timeline_demo_events, lifecycle.timeline_document_events, lifecycle.timeline_billing_events,
  lifecycle.timeline_prd_events, lifecycle.timeline_config_events, lifecycle.timeline_knowledge_events,
  lifecycle.timeline_conversation_events, lifecycle.timeline_voice_events, lifecycle.timeline_monitoring_events,
  lifecycle.timeline_analytics_events, lifecycle.timeline_success_events, lifecycle.timeline_support_events,
  lifecycle.timeline_crm_events, lifecycle.timeline_communication_events, lifecycle.timeline_review_events;
