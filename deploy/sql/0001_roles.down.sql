-- The login roles stay: they belong to the server, and other databases may use them.
drop function lifecycle.visible_tenants();
drop table auth.client_assignments, auth.team_supervisors;
drop function lifecycle.current_user_type(), lifecycle.current_user_id(), lifecycle.current_tenant(),
  lifecycle.allow(regclass, text, text, text), lifecycle.protect(regclass);
alter default privileges grant execute on functions to public;
drop schema auth, lifecycle;
