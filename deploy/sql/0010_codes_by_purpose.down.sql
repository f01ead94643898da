-- Only codes for the first verification are known to what comes before.
delete from auth.codes where purpose <> 'verify_email';
alter table auth.codes
  drop constraint codes_pkey,
  drop column purpose,
  drop column invitation_id;
alter table auth.codes
  alter column user_id set not null,
  add constraint codes_pkey primary key (user_id),
  add constraint codes_code_ref_key unique (code_ref);
drop table auth.invitations;

delete from auth.attempts where kind in ('reset_sent', 'invitation_sent');
alter table auth.attempts drop constraint attempts_kind_check;
alter table auth.attempts add constraint attempts_kind_check check (kind in ('login_failed', 'code_sent'));
