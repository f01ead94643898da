-- Who belongs to an organization, from the second person on: members who leave, and people of a verified host who ask
-- to be let in. A user is never deleted: one who was removed keeps their row, and may be invited again.

alter table auth.users add column joined_at timestamptz, add column removed_at timestamptz;
update auth.users set joined_at = verified_at where verified_at is not null;

create table auth.join_requests (
  join_request_id uuid primary key,
  -- Of the organization that is asked.
  tenant_id uuid not null,
  organization_id uuid not null references auth.organizations on delete cascade,
  user_id uuid not null references auth.users,
  created_at timestamptz not null,
  -- withdrawn: the person came in another way.
  status text not null default 'pending' check (status in ('pending', 'approved', 'rejected', 'withdrawn')),
  decided_at timestamptz,
  decided_by uuid references auth.users,
  check ((status = 'pending') = (decided_at is null))
);
create unique index join_requests_one_per_user on auth.join_requests (user_id) where status = 'pending';
create index join_requests_organization on auth.join_requests (organization_id, created_at) where status = 'pending';

select lifecycle.protect('auth.join_requests');
select lifecycle.allow('auth.join_requests', 'auth', command) from unnest(array['select', 'insert', 'update']) as command;
