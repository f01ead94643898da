drop index auth.llm_spend_by_day;
drop policy effects_delete on auth.llm_spend;
revoke delete on auth.llm_spend from lifecycle_effects;
