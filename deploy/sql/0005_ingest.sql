-- Idempotency keys of the ingest API: reserved before the append, finished after it. A row without positions belongs to
-- an append whose end is not known here; its owner is a transactional id, so that whoever takes it over can first fence
-- that owner and then look in the log, from end_offsets on, for the events.

create table auth.ingest_requests (
  tenant_id uuid not null,
  idempotency_key text not null check (length(idempotency_key) between 1 and 255),
  -- SHA-256 of the request's JSON.
  body_hash bytea not null,
  event_ids uuid[] not null,
  -- {"topic-partition": "offset"}: the events, if they are there, are at or after these.
  end_offsets jsonb not null,
  owner text not null,
  -- Counts the takings-over, so that of two who try only one succeeds.
  attempt int not null default 0,
  -- `topic-partition@offset` of each event, in the order of event_ids; null while pending.
  positions text[],
  reserved_at timestamptz not null,
  primary key (tenant_id, idempotency_key),
  check (positions is null or cardinality(positions) = cardinality(event_ids))
);
create index ingest_requests_age on auth.ingest_requests (reserved_at);

select lifecycle.protect('auth.ingest_requests');
select lifecycle.allow('auth.ingest_requests', 'auth', 'all');
