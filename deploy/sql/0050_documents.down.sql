drop table auth.webhooks_waiting, auth.webhook_objects;
drop policy effects_select on auth.users;
revoke select (user_id, tenant_id, organization_id, role, first_name, last_name, email, signed_up_at, verified_at, removed_at)
  on auth.users from lifecycle_effects;
