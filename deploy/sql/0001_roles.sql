-- Schemas, the rules every table keeps, and who sees which tenant.
--
-- The login roles lifecycle_auth, _relay, _sink, _effects and _api exist when this runs (deploy/migrate.ts makes them:
-- their passwords are no business of a file). None owns anything, none is superuser, none bypasses row-level security.
--
-- Rules, held by policyFindings() in deploy/policies.ts:
--   every table in these schemas has row-level security, forced, so that its owner obeys too;
--   a grant and its policy are made together, by protect() and allow(): a grant without a policy is a finding;
--   the api role reads a table with tenants only through lifecycle.visible_tenants().

create schema auth;
create schema lifecycle;

revoke all on schema auth, lifecycle from public;
alter default privileges revoke execute on functions from public;
grant usage on schema lifecycle to lifecycle_auth, lifecycle_relay, lifecycle_sink, lifecycle_effects, lifecycle_api;
grant usage on schema auth to lifecycle_auth, lifecycle_relay, lifecycle_sink, lifecycle_effects, lifecycle_api;

-- Row-level security on, for the owner too, who keeps full sight for migrations.
create function lifecycle.protect(target regclass) returns void
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy owner_all on %s for all to current_user using (true) with check (true)', target);
end $$;

-- One privilege for one role: the grant and its policy. `role` without the prefix; `command` is select, insert, update,
-- delete or all; `rows` is the condition on rows, of which insert uses it as its check.
create function lifecycle.allow(target regclass, role text, command text, rows text default 'true') returns void
language plpgsql as $$
declare
  grantee text := 'lifecycle_' || role;
  privileges text := case command when 'all' then 'select, insert, update, delete' else command end;
  condition text := case command
    when 'insert' then format('with check (%s)', rows)
    when 'select' then format('using (%s)', rows)
    when 'delete' then format('using (%s)', rows)
    else format('using (%s) with check (%s)', rows, rows)
  end;
begin
  execute format('grant %s on %s to %I', privileges, target, grantee);
  execute format('create policy %I on %s for %s to %I %s', role || '_' || command, target, command, grantee, condition);
end $$;

-- Who looks. Set per transaction (set_config(…, true)); an unset or emptied setting is null and sees nothing.
create function lifecycle.current_tenant() returns uuid
language sql stable parallel safe as $$ select nullif(current_setting('app.tenant', true), '')::uuid $$;

create function lifecycle.current_user_id() returns uuid
language sql stable parallel safe as $$ select nullif(current_setting('app.user_id', true), '')::uuid $$;

create function lifecycle.current_user_type() returns text
language sql stable parallel safe as $$ select nullif(current_setting('app.user_type', true), '') $$;

-- Which agent looks after which client, and who supervises a team. Decided here, not projected.
create table auth.team_supervisors (
  team_id uuid not null,
  user_id uuid not null,
  created_at timestamptz not null,
  primary key (team_id, user_id)
);

create table auth.client_assignments (
  tenant_id uuid not null,
  user_id uuid not null,
  team_id uuid not null,
  role text not null check (role in ('owner', 'support', 'observer')),
  created_at timestamptz not null,
  primary key (tenant_id, user_id)
);
create index client_assignments_by_user on auth.client_assignments (user_id, tenant_id);
create index client_assignments_by_team on auth.client_assignments (team_id, tenant_id);

select lifecycle.protect('auth.team_supervisors');
select lifecycle.allow('auth.team_supervisors', 'auth', 'all');
select lifecycle.allow('auth.team_supervisors', 'api', 'select', $$user_id = lifecycle.current_user_id()$$);

-- An agent sees the assignments of their own, and those of a team they supervise.
select lifecycle.protect('auth.client_assignments');
select lifecycle.allow('auth.client_assignments', 'auth', 'all');
select lifecycle.allow('auth.client_assignments', 'api', 'select', $$
  lifecycle.current_user_type() = 'agent' and (
    user_id = lifecycle.current_user_id()
    or team_id = any (array(select s.team_id from auth.team_supervisors s where s.user_id = lifecycle.current_user_id()))
  )$$);

-- The tenants the viewer may see: a client its own, an agent those of the assignments above (whose policy decides, as
-- this runs with the rights of whoever asks). Used as `tenant_id = any (array(select lifecycle.visible_tenants()))`,
-- which PostgreSQL evaluates once per statement and can look up in an index that begins with tenant_id.
create function lifecycle.visible_tenants() returns setof uuid
language sql stable as $$
  select lifecycle.current_tenant()
    where lifecycle.current_user_type() = 'client' and lifecycle.current_tenant() is not null
  union
  select a.tenant_id from auth.client_assignments a where lifecycle.current_user_type() = 'agent'
$$;

grant execute on function lifecycle.current_tenant(), lifecycle.current_user_id(), lifecycle.current_user_type(),
  lifecycle.visible_tenants() to lifecycle_auth, lifecycle_relay, lifecycle_sink, lifecycle_effects, lifecycle_api;
