-- Our own people: agents look after clients, supervisors after a team of agents. Decided here, in SQL, and not projected.
--
-- They log in as everybody does, so each is a row of auth.users. Their home is one organization of its own, the house: it
-- has a data key (their logins are events as well), no lifecycle, and no address that anybody could verify. What they see
-- follows from auth.client_assignments and auth.team_supervisors alone (lifecycle.visible_tenants, 0001_roles.sql).

-- Users refer to organizations at the end of a transaction; a table with such a check pending cannot be altered.
set constraints all immediate;

alter table auth.organizations add column kind text not null default 'client' check (kind in ('client', 'house'));
-- Of a time in which this file was applied before.
update auth.organizations set kind = 'house' where email_host = 'house.invalid';
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

-- Agents of before: in the team they worked for first, or in one for those who had none. An assignment of somebody who is
-- no agent showed nobody anything.
create temporary table worked on commit drop as
  select user_id, team_id, created_at from auth.client_assignments
  union all select user_id, team_id, created_at from auth.team_supervisors
  union all select user_id, md5('agents')::uuid, signed_up_at from auth.users u where user_type = 'agent'
    and not exists (select from auth.client_assignments c where c.user_id = u.user_id)
    and not exists (select from auth.team_supervisors s where s.user_id = u.user_id);
insert into auth.teams (team_id, name, created_at) select team_id, team_id::text, min(created_at) from worked group by team_id;
insert into auth.agents (user_id, team_id, display_name, created_at)
  select distinct on (user_id) user_id, team_id, u.first_name || ' ' || u.last_name, u.signed_up_at
  from auth.users u join worked using (user_id) where u.user_type = 'agent' order by user_id, worked.created_at, team_id;
delete from auth.client_assignments where user_id not in (select user_id from auth.agents);
delete from auth.team_supervisors where user_id not in (select user_id from auth.agents);
update auth.users set role = 'supervisor' where user_id in (select user_id from auth.team_supervisors);
drop table worked;

set constraints all immediate;
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
