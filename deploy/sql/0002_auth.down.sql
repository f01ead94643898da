drop table auth.outbox, auth.api_keys, auth.refresh_tokens, auth.sessions, auth.lockouts, auth.attempts, auth.codes;
alter table auth.users drop constraint users_organization_id_fkey;
drop table auth.organizations, auth.users;
drop function auth.announce_outbox();
