-- One data key per tenant, wrapped under a key made from the master secret (connectors/keys). Erasing a tenant destroys
-- its key: the row stays and says when, so that the tenant is known as erased and not as unknown.
create table auth.data_keys (
  tenant_id uuid primary key,
  wrapped_key bytea,
  destroyed_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  check ((wrapped_key is null) = (destroyed_at is not null))
);
select lifecycle.protect('auth.data_keys');

-- Who encodes or decodes events reads keys: sign-up, the relay, sinks, effects (and the processors beside them).
-- The query API reads rows, never records: no key for it.
grant select (tenant_id, wrapped_key, destroyed_at) on auth.data_keys
  to lifecycle_auth, lifecycle_relay, lifecycle_sink, lifecycle_effects;
create policy auth_select on auth.data_keys for select to lifecycle_auth using (true);
create policy relay_select on auth.data_keys for select to lifecycle_relay using (true);
create policy sink_select on auth.data_keys for select to lifecycle_sink using (true);
create policy effects_select on auth.data_keys for select to lifecycle_effects using (true);

-- Made at sign-up, destroyed on erasure; nobody replaces or deletes one.
select lifecycle.allow('auth.data_keys', 'auth', 'insert');
grant update (wrapped_key, destroyed_at) on auth.data_keys to lifecycle_auth;
create policy auth_update on auth.data_keys for update to lifecycle_auth
  using (destroyed_at is null) with check (wrapped_key is null);
