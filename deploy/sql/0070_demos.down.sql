-- Rows that the topics give again: the offsets go with them, so that the sinks begin anew.
drop view lifecycle.demo_cohorts, lifecycle.client_funnel;
drop table lifecycle.demos, lifecycle.demo_versions, lifecycle.demo_engagement, lifecycle.demo_engaged,
  lifecycle.demo_chat_messages, lifecycle.client_milestones;
delete from lifecycle.sink_offsets where sink in ('demos', 'client-milestones');
