-- What waits for its tenant is encrypted, as codes are: a reason that somebody typed may stand in it, and no tenant's key can
-- be known yet. `payload` is empty from now on; what came before this stands in it until it is taken, three days at most.

alter table auth.webhooks_waiting add column sealed bytea;
-- What was set aside is forgotten after a while.
create index webhooks_waiting_set_aside on auth.webhooks_waiting (since) where reason is not null;
