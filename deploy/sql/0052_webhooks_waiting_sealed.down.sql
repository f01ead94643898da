drop index auth.webhooks_waiting_set_aside;
alter table auth.webhooks_waiting drop column sealed;
