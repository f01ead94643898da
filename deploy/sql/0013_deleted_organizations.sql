-- An organization that its owner has closed: its row stays, nobody gets in any more, and its host is free again.

alter table auth.organizations drop constraint organizations_status_check;
alter table auth.organizations add constraint organizations_status_check
  check (status in ('pending', 'active', 'superseded', 'deleted'));
alter table auth.organizations add column deleted_at timestamptz,
  add check ((status = 'deleted') = (deleted_at is not null));
