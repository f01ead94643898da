drop table auth.ingest_requests;
