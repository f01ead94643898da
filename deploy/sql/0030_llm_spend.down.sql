drop table auth.llm_spend;
