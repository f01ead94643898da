-- A closed organization stays closed: nobody logs in to a superseded one either.
alter table auth.organizations drop constraint organizations_check;
update auth.organizations set status = 'superseded' where status = 'deleted';
alter table auth.organizations drop column deleted_at;
alter table auth.organizations drop constraint organizations_status_check;
alter table auth.organizations add constraint organizations_status_check
  check (status in ('pending', 'active', 'superseded'));
