-- Codes for more than the first verification: a user has one code of each purpose at a time, and an invitation has one of
-- its own, for an address that may have no user yet.

alter table auth.attempts drop constraint attempts_kind_check;
alter table auth.attempts add constraint attempts_kind_check
  check (kind in ('login_failed', 'code_sent', 'reset_sent', 'invitation_sent'));

create table auth.invitations (
  invitation_id uuid primary key,
  tenant_id uuid not null,
  organization_id uuid not null references auth.organizations on delete cascade,
  -- Lower case, host in ASCII, as in auth.users.
  email text not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  -- What the code in the mail hashes to: an invitation is found by it alone.
  code_hash bytea not null unique,
  invited_by uuid not null references auth.users,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  status text not null default 'pending' check (status in ('pending', 'accepted', 'revoked')),
  ended_at timestamptz,
  check ((status = 'pending') = (ended_at is null))
);
create unique index invitations_one_per_address on auth.invitations (organization_id, email) where status = 'pending';
create index invitations_age on auth.invitations (expires_at);

alter table auth.codes
  add column purpose text not null default 'verify_email'
    check (purpose in ('verify_email', 'reset_password', 'invitation')),
  add column invitation_id uuid unique references auth.invitations on delete cascade,
  drop constraint codes_pkey,
  drop constraint codes_code_ref_key,
  add primary key (code_ref);
alter table auth.codes
  alter column purpose drop default,
  alter column user_id drop not null,
  add unique (user_id, purpose),
  add check (case purpose when 'invitation' then invitation_id is not null and user_id is null
    else user_id is not null and invitation_id is null end);

select lifecycle.protect('auth.invitations');
select lifecycle.allow('auth.invitations', 'auth', 'all');
