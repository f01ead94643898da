drop table lifecycle.document_versions, lifecycle.documents;
