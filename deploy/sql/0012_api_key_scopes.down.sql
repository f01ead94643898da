-- A key without scopes may send events: one that could only read must not.
drop table auth.api_key_usage;
delete from auth.api_keys where not scopes @> array['events:write'];
alter table auth.api_keys drop column scopes, drop column per_minute, drop column per_day;
