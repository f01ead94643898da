-- What an API key may do, and how often. A key made before this sends events, as it always could.

alter table auth.api_keys
  add column scopes text[] not null default '{events:write}'
    check (cardinality(scopes) > 0 and scopes <@ array['events:write', 'read']),
  -- Requests; null is the platform's default.
  add column per_minute bigint check (per_minute > 0),
  add column per_day bigint check (per_day > 0);
alter table auth.api_keys alter column scopes drop default;

-- Requests that processes have taken of a key's quota, a row per key and span. A process takes some ahead and counts
-- them in memory, so `used` is never less than what was let through.
create table auth.api_key_usage (
  key_id uuid not null references auth.api_keys on delete cascade,
  span text not null check (span in ('minute', 'day')),
  window_start timestamptz not null,
  used bigint not null,
  -- Of these, what the last taker got.
  granted bigint not null,
  primary key (key_id, span)
);

select lifecycle.protect('auth.api_key_usage');
select lifecycle.allow('auth.api_key_usage', 'auth', 'all');
