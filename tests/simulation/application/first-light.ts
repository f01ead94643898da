/**
 * The world of one seed around the application: companies, people and clients, the providers, and the databases (outbox,
 * tables, idempotency keys), which outlive every process of ours.
 */

import { MemoryOutbox } from '../../../api/relay/index.ts'
import type { ServiceSettings } from '../../../processors/index.ts'
import { communicationDefaults, researchDefaults, sagaDefaults } from '../../../processors/index.ts'
import type { AnyProjection, SinkOffset } from '../../../sinks/index.ts'
import { MemoryTables, resourceProjections } from '../../../sinks/index.ts'
import type { MemoryRow } from '../../../sinks/index.ts'
import { Clients } from './clients.ts'
import type { Company } from './companies.ts'
import { companiesOf } from './companies.ts'
import { Draw } from './draw.ts'
import { People } from './people.ts'
import { Providers } from './providers.ts'
import { Reserved } from './reserved.ts'

export interface FirstLightOptions {
  readonly seed: string
  readonly tenants: number
  readonly companies: number
  /** Sign-ups come within this time, in ms. */
  readonly withinMs: number
  /** Projections that are kept; all unless told. */
  readonly projections?: number
  /** Of this topic alone. */
  readonly reads?: string
  /** How often the tables are looked at while things go on, and at most every so many ms; 6 times every 1 to 8 s unless told. */
  readonly looks?: { readonly most: number; readonly everyMs: number }
}

/** All rows of the tables at one moment, and how far each sink was. */
export interface TablesAt {
  readonly at: number
  readonly offsets: readonly SinkOffset[]
  readonly rows: ReadonlyMap<string, readonly MemoryRow[]>
}

const mostLooks = 6

export class FirstLight {
  readonly companies: readonly Company[]
  readonly draw: Draw
  readonly outbox = new MemoryOutbox()
  readonly tables = new MemoryTables()
  readonly clients: Clients
  readonly reservations = new Reserved()
  /** How long a retry waits for another process that holds its key, in ms. */
  readonly takeoverAfterMs: number
  readonly people: People
  readonly providers: Providers
  readonly settings: ServiceSettings
  /** Looks at the tables in the middle of things. */
  readonly snapshots: TablesAt[] = []
  /** Lines that processes gave to the operator. */
  readonly notices: { readonly at: number; readonly life: string; readonly line: string }[] = []
  /** Where the effect worker lost tasks: a call may be repeated after it. */
  readonly incidents: { readonly at: number; readonly life: string }[] = []
  /** Some of all, the review queue always among them: people read it. */
  readonly projections: readonly AnyProjection[]
  /** The projection that an operator rebuilt. */
  rebuilt: AnyProjection | null = null
  readonly #looks: FirstLightOptions['looks']
  #rebuildAt: number | null = null
  #lookAt = 0
  #watch: () => number = () => 0
  #nowMs = 0

  constructor(options: FirstLightOptions) {
    const draw = new Draw(options.seed)
    this.draw = draw
    const { reads, looks } = options
    this.#looks = looks
    const known = resourceProjections.filter((projection) => reads === undefined || projection.reads.name === reads)
    this.projections = chosen(draw, known, options.projections ?? known.length)
    this.companies = companiesOf(draw, options)
    this.clients = new Clients(draw, () => this.now())
    this.takeoverAfterMs = draw.of([300, 1_000, 3_000], 'takeover after')
    const { outbox, tables, clients } = this
    this.people = new People(draw, this.companies, { outbox, tables, clients }, () => this.now())
    const obscure = this.companies.filter((company) => company.obscure).map(({ domain }) => domain)
    this.providers = new Providers(draw, obscure, () => this.now())
    this.settings = {
      research: { ...researchDefaults, retry: { attempts: 3, baseMs: 400, capMs: 4_000 } },
      lifecycleSaga: {
        ...sagaDefaults,
        withinMs: { ...sagaDefaults.withinMs, research: draw.of([8_000, 30_000, 120_000], 'research within') },
      },
      communication: { ...communicationDefaults, retry: { attempts: 5, baseMs: 400, capMs: 4_000 } },
    }
  }

  /** True time in ms, by the watch of the machine that began last: watches of all machines go alike. */
  now(): number {
    this.#nowMs = Math.max(this.#nowMs, this.#watch())
    return this.#nowMs
  }

  /** A machine begins: its watch is looked at from now on. */
  begins(watch: () => number): void {
    this.#watch = watch
  }

  /** The projection to be rebuilt, when its time has come; once. */
  rebuildNow(): AnyProjection | null {
    this.#rebuildAt ??= this.now() + this.draw.between(2_000, 20_000, 'rebuild at')
    if (this.rebuilt !== null || this.now() < this.#rebuildAt) return null
    this.rebuilt = this.draw.of(this.projections, 'rebuild')
    return this.rebuilt
  }

  /** Looks at the tables every few seconds, some times in all. */
  lookSometimes(): void {
    if (this.now() < this.#lookAt || this.snapshots.length >= (this.#looks?.most ?? mostLooks)) return
    this.#lookAt = this.now() + (this.#looks?.everyMs ?? this.draw.between(1_000, 8_000, 'look', this.snapshots.length))
    this.look()
  }

  look(): void {
    this.snapshots.push(this.tablesNow())
  }

  tablesNow(): TablesAt {
    const rows = this.projections
      .flatMap(({ tables }) => tables)
      .map((table) => [table.name, this.tables.rows(table)] as const)
    return { at: this.now(), offsets: this.tables.offsetsNow(), rows: new Map(rows) }
  }
}

function chosen(draw: Draw, known: readonly AnyProjection[], count: number): readonly AnyProjection[] {
  const order = known.toSorted((a, b) => draw.part('kept', a.name) - draw.part('kept', b.name))
  const queue = order.filter(({ name }) => name === 'review-queue')
  return [...queue, ...order.filter(({ name }) => name !== 'review-queue')].slice(0, count)
}
