/**
 * Reads the catalogue of a database and says where its row-level security has a hole. Empty is well. The rules: a table
 * without protection, a grant without its policy, a policy wider than it may be, a role that escapes policies, a view or
 * function that reads with another's rights, a unique key that would tell one tenant about another.
 */

import type { Queryable } from '../connectors/postgres/index.ts'
import { databaseRoles, roleName } from './migrate.ts'

const schemas = ['auth', 'lifecycle']
const processRoles = databaseRoles.map((role) => `'${roleName(role)}'`).join()

/** One line per hole, the table named first. */
export async function policyFindings(database: Queryable): Promise<readonly string[]> {
  const findings: string[] = []
  for (const { says, sql } of rules) {
    const { rows } = await database.query<Record<string, string>>(sql, [schemas])
    for (const row of rows) findings.push(says(row))
  }
  return findings
}

interface Rule {
  readonly says: (row: Readonly<Record<string, string>>) => string
  readonly sql: string
}

/** Tables of our schemas, as `t`. */
const tables = `
  t as (
    select c.oid, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, format('%s.%s', n.nspname, c.relname) as name,
      n.nspname as schema,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ($1) and c.relkind in ('r', 'p'))`

/** What each role may do to each table, also to some columns of it only. */
const grants = `
  g as (
    select t.oid, acl.grantee, acl.privilege_type as privilege from t,
      aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) as acl
    union
    select a.attrelid, acl.grantee, acl.privilege_type from t join pg_attribute a on a.attrelid = t.oid, aclexplode(a.attacl) as acl)`

const commands = `(values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) as command (privilege, code)`

const rules: readonly Rule[] = [
  {
    says: ({ name }) => `${name}: row-level security is off`,
    sql: `with ${tables} select name from t where not relrowsecurity order by 1`,
  },
  {
    says: ({ name }) => `${name}: row-level security is not forced on its owner`,
    sql: `with ${tables} select name from t where not relforcerowsecurity order by 1`,
  },
  {
    says: ({ name, role, privilege }) => `${name}: ${role} has ${privilege} but no policy for it`,
    sql: `with ${tables}, ${grants}
      select distinct t.name, r.rolname as role, g.privilege
      from t join g using (oid) join pg_roles r on r.oid = g.grantee join ${commands} using (privilege)
      where not exists (select from pg_policy p where p.polrelid = t.oid and p.polpermissive
        and p.polcmd::text in (command.code, '*') and g.grantee = any (p.polroles))
      order by 1, 2, 3`,
  },
  {
    says: ({ name, role, privilege }) => `${name}: ${role} has ${privilege}, which row-level security does not hold`,
    sql: `with ${tables}, ${grants}
      select distinct t.name, r.rolname as role, g.privilege from t join g using (oid) join pg_roles r on r.oid = g.grantee
      where g.grantee <> t.relowner and g.privilege in ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN') order by 1, 2, 3`,
  },
  {
    says: ({ name, privilege }) => `${name}: everyone (PUBLIC) has ${privilege}`,
    sql: `with ${tables}, ${grants} select distinct t.name, g.privilege from t join g using (oid) where g.grantee = 0 order by 1, 2`,
  },
  {
    says: ({ name, policy }) => `${name}: policy ${policy} is for everyone (PUBLIC)`,
    sql: `with ${tables} select t.name, p.polname as policy from t join pg_policy p on p.polrelid = t.oid
      where 0 = any (p.polroles) order by 1, 2`,
  },
  {
    says: ({ name, policy }) => `${name}: policy ${policy} lets the api role see rows of any tenant`,
    sql: `with ${tables} select t.name, p.polname as policy
      from t join pg_policy p on p.polrelid = t.oid join pg_roles r on r.oid = any (p.polroles)
      where r.rolname = 'lifecycle_api' and t.has_tenant
        and coalesce(pg_get_expr(p.polqual, p.polrelid), '') !~ '(visible_tenants|current_tenant|current_user_id)\\(\\)'
      order by 1, 2`,
  },
  {
    says: ({ name, role }) => `${name}: is owned by ${role}, a role of a process`,
    sql: `with ${tables} select t.name, r.rolname as role from t join pg_roles r on r.oid = t.relowner
      where r.rolname in (${processRoles}) order by 1`,
  },
  {
    says: ({ name, index }) => `${name}: unique index ${index} does not begin with tenant_id`,
    sql: `with ${tables} select t.name, i.indexrelid::regclass::text as index
      from t join pg_index i on i.indrelid = t.oid join pg_attribute a on a.attrelid = t.oid and a.attnum = i.indkey[0]
      where t.schema = 'lifecycle' and t.has_tenant and i.indisunique and a.attname <> 'tenant_id' order by 1, 2`,
  },
  {
    says: ({ name }) => `${name}: a view reads with its owner's rights: make it with security_invoker`,
    sql: `select format('%s.%s', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = any ($1) and (c.relkind = 'm' or (c.relkind = 'v'
        and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1']))
      order by 1`,
  },
  {
    says: ({ name }) => `${name}: a function runs with its owner's rights (SECURITY DEFINER)`,
    sql: `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname = any ($1) and p.prosecdef order by 1`,
  },
  {
    says: ({ role, why }) => `${role}: ${why}`,
    sql: `select r.rolname as role, f.why from pg_roles r, lateral (values
        (r.rolsuper, 'is a superuser'), (r.rolbypassrls, 'has BYPASSRLS'), (r.rolcreaterole, 'may create roles'),
        (exists (select from pg_auth_members m where m.member = r.oid), 'is a member of another role')) as f (holds, why)
      where r.rolname in (${processRoles})
        and f.holds and $1::text[] is not null order by 1, 2`,
  },
]
