-- Without its key nothing personal of a tenant can be read again, on any topic.
drop table auth.data_keys;
