-- Who was removed stays out, also where nobody looks at removed_at: no password has this digest.
drop table auth.join_requests;
update auth.users set password_hash = '!' where removed_at is not null;
alter table auth.users drop column joined_at, drop column removed_at;
