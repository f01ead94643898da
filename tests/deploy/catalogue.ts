/** What a database is made of, as lines to compare: everything of our schemas that a migration can make. */

import type { Queryable } from '../../connectors/postgres/index.ts'

const ours = `nspname in ('auth', 'lifecycle', 'public')`

const queries: readonly string[] = [
  `select format('schema %s %s', nspname, nspacl) from pg_namespace where ${ours}`,
  `select format('relation %s.%s %s rls %s %s acl %s owner %s options %s', nspname, relname, relkind, relrowsecurity,
     relforcerowsecurity, (select string_agg(a::text, ' ' order by a::text) from unnest(relacl) a),
     relowner::regrole, reloptions)
   from pg_class c join pg_namespace n on n.oid = relnamespace where ${ours} and relname not like 'schema_migrations%'`,
  `select format('column %s.%s %s %s %s not null %s default %s acl %s', nspname, relname,
     row_number() over (partition by c.oid order by attnum), attname, format_type(atttypid, atttypmod), attnotnull,
     pg_get_expr(adbin, adrelid), attacl)
   from pg_attribute a join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
     left join pg_attrdef d on adrelid = attrelid and adnum = attnum
   where ${ours} and attnum > 0 and not attisdropped and relname not like 'schema_migrations%'`,
  `select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) from pg_constraint
   where connamespace in (select oid from pg_namespace where ${ours}) and conname not like 'schema_migrations%'`,
  `select format('index %s', pg_get_indexdef(indexrelid)) from pg_index i join pg_class c on c.oid = indrelid
     join pg_namespace n on n.oid = relnamespace where ${ours} and relname <> 'schema_migrations'`,
  `select format('policy %s %s %s %s using %s check %s', polrelid::regclass, polname, polcmd, polroles::regrole[],
     pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) from pg_policy`,
  `select format('function %s %s acl %s', p.oid::regprocedure, pg_get_functiondef(p.oid), proacl) from pg_proc p
     join pg_namespace n on n.oid = pronamespace where ${ours} and prokind = 'f'`,
  `select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal`,
  `select format('default privileges %s %s %s', defaclrole::regrole, defaclobjtype, defaclacl) from pg_default_acl`,
  `select format('extension %s', extname) from pg_extension`,
]

export async function catalogueOf(database: Queryable): Promise<readonly string[]> {
  const lines: string[] = []
  for (const text of queries) {
    const { rows } = await database.query<[string]>({ text, rowMode: 'array' })
    lines.push(...rows.map(([line]) => line))
  }
  return lines.sort()
}
