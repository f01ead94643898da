-- Our own people: agents look after clients, supervisors after a team of agents. Decided here, in SQL, and not projected.
--
-- They log in as everybody does, so each is a row of auth.users. Their home is one organization of its own, the house: it
-- has a data key (their logins are events as well), no lifecycle, and no address that anybody could verify. What they see
-- follows from auth.client_assignments and auth.team_supervisors alone (lifecycle.visible_tenants, 0001_roles.sql).

alter table auth.organizations add column kind text not null default 'client' check (kind in ('client', 'house'));
create unique index organizations_one_house on auth.organizations (kind) where kind = 'house';

alter table auth.users drop constraint users_role_check;
alter table auth.users add constraint users_role_check
  check (role in ('owner', 'admin', 'member', 'agent', 'supervisor'));
-- An agent of before there were such roles was a member.
update auth.users set role = 'agent' where user_type = 'agent';
alter table auth.users add constraint users_role_of_type
  check ((user_type = 'agent') = (role in ('agent', 'supervisor')));
-- Set when an agent leaves: no login, no session. The row stays, for what it did.
alter table auth.users add column disabled_at timestamptz;

create table auth.teams (
  team_id uuid primary key,
  name text not null unique,
  created_at timestamptz not null
);

create table auth.agents (
  user_id uuid primary key references auth.users,
  team_id uuid not null references auth.teams,
  -- What colleagues read who holds a review.
  display_name text not null,
  -- Null: an operator, at the machine.
  created_by uuid references auth.users,
  created_at timestamptz not null
);
create index agents_team on auth.agents (team_id);

alter table auth.team_supervisors
  add foreign key (team_id) references auth.teams,
  add foreign key (user_id) references auth.agents;
alter table auth.client_assignments
  add foreign key (team_id) references auth.teams,
  add foreign key (user_id) references auth.agents;

select lifecycle.protect(target) from unnest(array['auth.teams', 'auth.agents']::regclass[]) as target;
select lifecycle.allow(target, 'auth', command)
  from unnest(array['auth.teams', 'auth.agents']::regclass[]) as target, unnest(array['select', 'insert', 'update']) as command;

-- Names of colleagues, for agents; clients do not learn who works for us.
grant select (user_id, display_name) on auth.agents to lifecycle_api;
create policy api_select on auth.agents for select to lifecycle_api using (lifecycle.current_user_type() = 'agent');
