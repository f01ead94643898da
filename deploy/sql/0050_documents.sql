-- What the documents service and webhooks need: whom to ask to sign, and deliveries whose tenant is not known yet.

-- A call to a provider reads the owner of the organization it is for, when it is made; no event carries a name.
grant select (user_id, tenant_id, organization_id, role, first_name, last_name, email, signed_up_at, verified_at, removed_at)
  on auth.users to lifecycle_effects;
create policy effects_select on auth.users for select to lifecycle_effects using (role = 'owner');

-- Whose an outside object is, as verified webhooks have told.
create table auth.webhook_objects (
  provider text not null,
  object_id text not null check (length(object_id) between 1 and 200),
  tenant_id uuid not null,
  organization_id uuid not null,
  primary key (provider, object_id)
);
create index webhook_objects_by_tenant on auth.webhook_objects (tenant_id);

-- Deliveries without a tenant: tried again until their object is known, at most three days. With a reason they are set
-- aside for good, and only that they came is kept.
create table auth.webhooks_waiting (
  provider text not null,
  delivery_id text not null check (length(delivery_id) between 1 and 200),
  topic text not null,
  type text not null,
  payload jsonb not null,
  object_ids text[] not null,
  since timestamptz not null,
  reason text,
  primary key (provider, delivery_id)
);
create index webhooks_waiting_by_age on auth.webhooks_waiting (since) where reason is null;

select lifecycle.protect('auth.webhook_objects');
select lifecycle.protect('auth.webhooks_waiting');
select lifecycle.allow('auth.webhook_objects', 'auth', 'all');
select lifecycle.allow('auth.webhooks_waiting', 'auth', 'all');
