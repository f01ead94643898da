-- What a tenant's language-model calls of a UTC day cost, in millionths of a US dollar: reserved before a call, settled
-- after it (connectors/llm). Decided here, not projected: a rebuild must not change what was paid.
create table auth.llm_spend (
  tenant_id uuid not null,
  day date not null,
  microdollars bigint not null check (microdollars >= 0),
  calls bigint not null default 1,
  primary key (tenant_id, day)
);

select lifecycle.protect('auth.llm_spend');
select lifecycle.allow('auth.llm_spend', 'effects', 'select');
select lifecycle.allow('auth.llm_spend', 'effects', 'insert');
select lifecycle.allow('auth.llm_spend', 'effects', 'update');
