set constraints all immediate;

alter table auth.client_assignments
  drop constraint client_assignments_team_id_fkey,
  drop constraint client_assignments_user_id_fkey;
alter table auth.team_supervisors
  drop constraint team_supervisors_team_id_fkey,
  drop constraint team_supervisors_user_id_fkey;
drop table auth.agents, auth.teams;

-- Who left stays out, also where nobody looks at disabled_at: no password has this digest.
update auth.users set password_hash = '!' where disabled_at is not null;
alter table auth.users drop column disabled_at;
alter table auth.users drop constraint users_role_of_type, drop constraint users_role_check;
update auth.users set role = 'member' where role in ('agent', 'supervisor');
alter table auth.users add constraint users_role_check check (role in ('owner', 'admin', 'member'));

alter table auth.organizations drop column kind;
