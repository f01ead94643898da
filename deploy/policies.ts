/**
 * Reads the catalogue of a database and says where its row-level security has a hole. Empty is well. The rules: a table
 * without protection, a grant without its policy, a policy wider than it may be, a role that escapes policies, a view or
 * function that reads with another's rights, a unique key that would tell one tenant about another.
 */

import type { Queryable } from '../connectors/postgres/index.ts'
import { databaseRoles, roleName } from './migrate.ts'

/** One line per hole, the table (or role) named first. */
export async function policyFindings(database: Queryable): Promise<readonly string[]> {
  const { rows } = await database.query<{ line: string }>(
    `with ${tables}, ${grants} ${rules.join(' union ')} order by line`,
    [['auth', 'lifecycle'], databaseRoles.map(roleName)],
  )
  return rows.map(({ line }) => line)
}

/** Tables of our schemas. */
const tables = `
  t as (
    select c.oid, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, n.nspname as schema,
      format('%s.%s', n.nspname, c.relname) as name,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1) and c.relkind in ('r', 'p'))`

/** What each role may do to each table, also to some columns of it only. Grantee 0 is everyone. */
const grants = `
  g as (
    select t.oid, acl.grantee, acl.privilege_type as privilege from t,
      aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) as acl
    union
    select a.attrelid, acl.grantee, acl.privilege_type
    from t join pg_attribute a on a.attrelid = t.oid, aclexplode(a.attacl) as acl)`

const commands = `(values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) as command (privilege, code)`

const rules: readonly string[] = [
  `select name || ': row-level security is off' as line from t where not relrowsecurity`,

  `select name || ': row-level security is not forced on its owner' from t where not relforcerowsecurity`,

  `select format('%s: %s has %s but no policy for it', t.name, r.rolname, g.privilege)
    from t join g using (oid) join pg_roles r on r.oid = g.grantee join ${commands} using (privilege)
    where not exists (select from pg_policy p where p.polrelid = t.oid and p.polpermissive
      and p.polcmd::text in (command.code, '*') and g.grantee = any (p.polroles))`,

  `select format('%s: %s has %s, which row-level security does not hold', t.name, r.rolname, g.privilege)
    from t join g using (oid) join pg_roles r on r.oid = g.grantee
    where g.grantee <> t.relowner and g.privilege in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')`,

  `select format('%s: everyone (PUBLIC) has %s', t.name, g.privilege) from t join g using (oid) where g.grantee = 0`,

  `select format('%s: policy %s is for everyone (PUBLIC)', t.name, p.polname)
    from t join pg_policy p on p.polrelid = t.oid where 0 = any (p.polroles)`,

  `select format('%s: policy %s lets the api role see rows of any tenant', t.name, p.polname)
    from t join pg_policy p on p.polrelid = t.oid join pg_roles r on r.oid = any (p.polroles)
    where r.rolname = 'lifecycle_api' and t.has_tenant
      and coalesce(pg_get_expr(p.polqual, p.polrelid), '') !~ '(visible_tenants|current_tenant|current_user_id)\\(\\)'`,

  `select format('%s: is owned by %s, a role of a process', t.name, r.rolname)
    from t join pg_roles r on r.oid = t.relowner where r.rolname = any ($2)`,

  `select format('%s: unique index %s does not begin with tenant_id', t.name, i.indexrelid::regclass)
    from t join pg_index i on i.indrelid = t.oid join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
    where t.schema = 'lifecycle' and t.has_tenant and i.indisunique and a.attname <> 'tenant_id'`,

  `select format('%s.%s: a view reads with its owner''s rights: make it with security_invoker', n.nspname, c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1) and (c.relkind = 'm' or (c.relkind = 'v'
      and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1']))`,

  `select p.oid::regprocedure || ': a function runs with its owner''s rights (SECURITY DEFINER)'
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any ($1) and p.prosecdef`,

  `select format('%s: %s', r.rolname, f.why) from pg_roles r, lateral (values
      (r.rolsuper, 'is a superuser'), (r.rolbypassrls, 'has BYPASSRLS'), (r.rolcreaterole, 'may create roles'),
      (exists (select from pg_auth_members m where m.member = r.oid), 'is a member of another role')) as f (holds, why)
    where r.rolname = any ($2) and f.holds`,
]
