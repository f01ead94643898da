-- Sales documents as they stand, and their versions (sinks/projections/documents.ts).

create table lifecycle.documents (
  tenant_id uuid not null,
  document_id text not null,
  organization_id uuid,
  document_type text,
  version int,
  status text,
  currency text,
  amount bigint,
  list_amount bigint,
  discount_basis_points int,
  margin_basis_points int,
  quantity int,
  generated_at timestamptz,
  approved_by text,
  envelope_id text,
  sent_at timestamptz,
  expires_at timestamptz,
  viewed_at timestamptz,
  reminders int,
  signed_at timestamptz,
  terms jsonb,
  reason text,
  ended_at timestamptz,
  primary key (tenant_id, document_id)
);
create index documents_by_organization on lifecycle.documents (tenant_id, organization_id, generated_at desc, document_id);

create table lifecycle.document_versions (
  tenant_id uuid not null,
  document_id text not null,
  version int not null,
  organization_id uuid,
  document_type text,
  template_version int,
  currency text,
  amount bigint,
  list_amount bigint,
  discount_basis_points int,
  margin_basis_points int,
  quantity int,
  ref jsonb,
  generated_at timestamptz,
  approved_by text,
  approved_at timestamptz,
  envelope_id text,
  sent_at timestamptz,
  signed_at timestamptz,
  signed_ref jsonb,
  certificate_ref jsonb,
  primary key (tenant_id, document_id, version)
);

select lifecycle.make_projection(target, array['select', 'insert', 'update', 'delete']) from unnest(array[
  'lifecycle.documents', 'lifecycle.document_versions']::regclass[]) as target;
