-- Identity: users, organizations, codes, sessions and API keys are decided here, in SQL; none of it is a projection. What
-- others must know leaves through auth.outbox, written in the same transaction and carried to the topics by the relay.
-- Times are given by the caller; nothing here reads now().

create table auth.users (
  user_id uuid primary key,
  -- Lower case, host in ASCII. One person, one row.
  email text not null unique,
  password_hash text not null,
  first_name text not null,
  last_name text not null,
  tenant_id uuid not null,
  organization_id uuid not null,
  user_type text not null check (user_type in ('client', 'agent')),
  role text not null check (role in ('owner', 'admin', 'member')),
  signed_up_at timestamptz not null,
  verified_at timestamptz
);

create table auth.organizations (
  organization_id uuid primary key,
  tenant_id uuid not null unique,
  company_name text not null,
  -- Host of the owner's address: what verification proves.
  email_host text not null,
  -- Host of the company's site, as told.
  domain text not null,
  industry text,
  -- superseded: another organization was first to verify this host.
  status text not null check (status in ('pending', 'active', 'superseded')),
  owner_user_id uuid not null references auth.users,
  created_at timestamptz not null,
  verified_at timestamptz
);
create unique index organizations_one_per_host on auth.organizations (email_host) where status = 'active';
alter table auth.users add foreign key (organization_id) references auth.organizations deferrable initially deferred;
create index users_organization on auth.users (organization_id);

-- A user has one code at a time: a new one takes the old one's place.
create table auth.codes (
  user_id uuid primary key references auth.users on delete cascade,
  code_ref text not null unique,
  -- Encrypted under the configured secret, bound to code_ref.
  sealed bytea not null,
  recipient text not null,
  expires_at timestamptz not null,
  wrong_tries int not null default 0,
  used_at timestamptz
);

-- Failed logins and codes sent, counted over a sliding window, for known and unknown addresses alike.
create table auth.attempts (
  kind text not null check (kind in ('login_failed', 'code_sent')),
  email_hash text not null,
  at timestamptz not null
);
create index attempts_window on auth.attempts (email_hash, kind, at);
create index attempts_age on auth.attempts (at);

-- The last lock announced for an address, so that one lock is one event.
create table auth.lockouts (
  email_hash text primary key,
  until timestamptz not null
);

-- A session is a family of refresh tokens; an access token lives no longer than its session.
create table auth.sessions (
  session_id uuid primary key,
  user_id uuid not null references auth.users on delete cascade,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  -- The newest access token of the session.
  token_id uuid not null,
  revoked_at timestamptz,
  revoked_reason text
);
create index sessions_user on auth.sessions (user_id);
create index sessions_age on auth.sessions (expires_at);

create table auth.refresh_tokens (
  token_hash bytea primary key,
  session_id uuid not null references auth.sessions on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index refresh_tokens_session on auth.refresh_tokens (session_id);

create table auth.api_keys (
  key_id uuid primary key,
  tenant_id uuid not null,
  organization_id uuid not null references auth.organizations on delete cascade,
  name text not null,
  prefix text not null,
  key_hash bytea not null unique,
  created_by uuid not null references auth.users,
  created_at timestamptz not null,
  revoked_at timestamptz
);
create index api_keys_organization on auth.api_keys (organization_id);

-- Events on their way to a topic. The relay stamps rows with a batch number, appends the batch in one transaction of the
-- log, then notes where each row went and drops its event. A row that cannot be encoded is set aside (failed_at), and
-- later rows of its key wait behind it.
create table auth.outbox (
  id bigserial primary key,
  topic text not null,
  key text not null,
  event jsonb,
  created_at timestamptz not null,
  batch bigint,
  sent_at timestamptz,
  log_partition int,
  log_offset bigint,
  failed_at timestamptz,
  failure text,
  check (event is not null or sent_at is not null)
);
create index outbox_unsent on auth.outbox (id) where sent_at is null;
create index outbox_batch on auth.outbox (batch) where batch is not null;
create index outbox_failed on auth.outbox (topic, key, id) where failed_at is not null;
create index outbox_sent on auth.outbox (sent_at) where sent_at is not null;

-- Wakes the relay when the transaction commits.
create function auth.announce_outbox() returns trigger language plpgsql as $$
begin
  perform pg_notify('outbox', '');
  return null;
end $$;
create trigger announce after insert on auth.outbox for each statement execute function auth.announce_outbox();

-- Who may do what: the auth role decides, the relay carries, effects read the code they mail. The query API reads none of it.
select lifecycle.protect(target) from unnest(array['auth.users', 'auth.organizations', 'auth.codes', 'auth.attempts',
  'auth.lockouts', 'auth.sessions', 'auth.refresh_tokens', 'auth.api_keys', 'auth.outbox']::regclass[]) as target;

select lifecycle.allow(target, 'auth', command)
  from unnest(array['auth.users', 'auth.organizations', 'auth.api_keys']::regclass[]) as target,
    unnest(array['select', 'insert', 'update']) as command;
select lifecycle.allow(target, 'auth', 'all')
  from unnest(array['auth.codes', 'auth.attempts', 'auth.lockouts', 'auth.sessions', 'auth.refresh_tokens']::regclass[]) as target;

-- Writing an event tells its id, and no more.
select lifecycle.allow('auth.outbox', 'auth', 'insert');
grant select (id) on auth.outbox to lifecycle_auth;
create policy auth_select on auth.outbox for select to lifecycle_auth using (true);
grant usage on sequence auth.outbox_id_seq to lifecycle_auth;

select lifecycle.allow('auth.outbox', 'relay', command) from unnest(array['select', 'update', 'delete']) as command;

grant select (code_ref, sealed, recipient, expires_at) on auth.codes to lifecycle_effects;
create policy effects_select on auth.codes for select to lifecycle_effects using (true);
