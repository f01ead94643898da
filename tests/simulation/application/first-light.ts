/**
 * The world of one seed around the application: companies and people, the providers, and the two databases (outbox and
 * tables), which outlive every process of ours.
 */

import { MemoryOutbox } from '../../../api/relay/index.ts'
import type { ServiceSettings } from '../../../processors/index.ts'
import { communicationDefaults, researchDefaults, sagaDefaults } from '../../../processors/index.ts'
import type { AnyProjection, SinkOffset } from '../../../sinks/index.ts'
import { MemoryTables, projections } from '../../../sinks/index.ts'
import type { MemoryRow } from '../../../sinks/index.ts'
import type { Company } from './companies.ts'
import { companiesOf } from './companies.ts'
import { Draw } from './draw.ts'
import { People } from './people.ts'
import { Providers } from './providers.ts'

export interface FirstLightOptions {
  readonly seed: string
  readonly tenants: number
  readonly companies: number
  /** Sign-ups come within this time, in ms. */
  readonly withinMs: number
  /** True time in ms. */
  readonly now: () => number
}

/** All rows of the tables at one moment, and how far each sink was. */
export interface TablesAt {
  readonly at: number
  readonly offsets: readonly SinkOffset[]
  readonly rows: ReadonlyMap<string, readonly MemoryRow[]>
}

export class FirstLight {
  readonly companies: readonly Company[]
  readonly draw: Draw
  readonly outbox = new MemoryOutbox()
  readonly tables = new MemoryTables()
  readonly people: People
  readonly providers: Providers
  readonly settings: ServiceSettings
  /** Looks at the tables in the middle of things. */
  readonly snapshots: TablesAt[] = []
  /** Lines that processes gave to the operator. */
  readonly notices: { readonly at: number; readonly life: string; readonly line: string }[] = []
  /** Where the effect worker lost tasks: a call may be repeated after it. */
  readonly incidents: { readonly at: number; readonly life: string }[] = []
  readonly now: () => number

  constructor(options: FirstLightOptions) {
    const draw = new Draw(options.seed)
    this.draw = draw
    this.now = options.now
    this.companies = companiesOf(draw, options)
    this.people = new People(draw, this.companies, this.outbox, this.tables)
    const obscure = this.companies.filter((company) => company.obscure).map(({ domain }) => domain)
    this.providers = new Providers(draw, obscure, options.now)
    this.settings = {
      research: { ...researchDefaults, retry: { attempts: 3, baseMs: 400, capMs: 4_000 } },
      lifecycleSaga: { ...sagaDefaults, researchWithinMs: draw.of([8_000, 30_000, 120_000], 'research within') },
      communication: { ...communicationDefaults, retry: { attempts: 5, baseMs: 400, capMs: 4_000 } },
    }
  }

  get projections(): readonly AnyProjection[] {
    return projections
  }

  look(): void {
    this.snapshots.push(this.tablesNow())
  }

  tablesNow(): TablesAt {
    const rows = projections
      .flatMap(({ tables }) => tables)
      .map((table) => [table.name, this.tables.rows(table)] as const)
    return { at: this.now(), offsets: this.tables.offsetsNow(), rows: new Map(rows) }
  }
}
