-- What was spent on a day that no budget asks for any more is forgotten; of the last month nothing can be.

select lifecycle.allow('auth.llm_spend', 'effects', 'delete', $$day < (now() at time zone 'UTC')::date - 31$$);
create index llm_spend_by_day on auth.llm_spend (day);
