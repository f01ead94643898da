/** Plausible surroundings of a company, by what its industry is called. Invented for practice; not facts about anyone. */

export interface Industry {
  /** Words that name it, in lower case. */
  readonly words: readonly string[]
  readonly does: string
  /** What its own customers write to it about. */
  readonly customersAsk: string
  readonly competitors: readonly string[]
  readonly technologies: readonly string[]
  readonly pricing: { readonly model: string; readonly unit: string; readonly from: number; readonly to: number }
  /** Customer conversations per employee and month. */
  readonly conversationsPerEmployee: number
}

const usual = ['AWS', 'PostgreSQL', 'React', 'TypeScript', 'Kubernetes', 'Datadog']

export const industries: readonly Industry[] = [
  {
    words: ['payment', 'fintech', 'financ', 'bank', 'insur', 'lending'],
    does: 'moves and manages money for businesses',
    customersAsk: 'where a payment is and why it was declined',
    competitors: ['Ledgerly', 'Northpay', 'Coinstream', 'Billwright', 'Quaybank', 'Tallyfin'],
    technologies: ['Java', 'Kafka', 'Snowflake', 'Terraform'],
    pricing: { model: 'usage', unit: 'transaction', from: 0.1, to: 3 },
    conversationsPerEmployee: 40,
  },
  {
    words: ['logistic', 'freight', 'shipping', 'supply', 'transport', 'mobility', 'travel', 'airline'],
    does: 'moves goods and people and tells everyone where they are',
    customersAsk: 'where a shipment is and when it arrives',
    competitors: ['Cargolane', 'Portway', 'Routewise', 'Palletry', 'Fleetharbor', 'Waybillo'],
    technologies: ['Kafka', 'MongoDB', 'Python', 'SAP'],
    pricing: { model: 'subscription', unit: 'month', from: 99, to: 900 },
    conversationsPerEmployee: 25,
  },
  {
    words: ['health', 'medic', 'pharma', 'biotech', 'clinic', 'dental'],
    does: 'helps clinics and patients with care and its paperwork',
    customersAsk: 'appointments, results and what a plan covers',
    competitors: ['Carepath', 'Clinivo', 'Medbridge Labs', 'Pulsewell', 'Vitalis Cloud', 'Wardline'],
    technologies: ['Azure', '.NET', 'Salesforce', 'Twilio'],
    pricing: { model: 'subscription', unit: 'seat', from: 40, to: 300 },
    conversationsPerEmployee: 30,
  },
  {
    words: ['commerce', 'retail', 'fashion', 'consumer', 'food', 'marketplace', 'grocery'],
    does: 'sells online and in shops and ships to customers',
    customersAsk: 'orders, returns and refunds',
    competitors: ['Shelfwise', 'Cartwheel Goods', 'Marketrow', 'Basketly', 'Storefrontier', 'Retailique'],
    technologies: ['Shopify', 'Redis', 'Elasticsearch', 'Segment'],
    pricing: { model: 'subscription', unit: 'month', from: 29, to: 400 },
    conversationsPerEmployee: 60,
  },
  {
    words: ['education', 'learning', 'school', 'university', 'training'],
    does: 'teaches people and shows them how far they have come',
    customersAsk: 'access, deadlines and certificates',
    competitors: ['Lessonry', 'Classgrid', 'Tutorway', 'Campusloop', 'Skillharbor', 'Quizwright'],
    technologies: ['Google Cloud', 'Vue', 'Django', 'BigQuery'],
    pricing: { model: 'subscription', unit: 'user', from: 5, to: 40 },
    conversationsPerEmployee: 20,
  },
  {
    words: [
      'energy',
      'manufactur',
      'industrial',
      'automotive',
      'construction',
      'hardware',
      'semiconductor',
      'aerospace',
    ],
    does: 'builds machines and keeps them running',
    customersAsk: 'spare parts, delivery dates and faults',
    competitors: ['Ironlattice', 'Forgeline', 'Voltworks', 'Assembla Systems', 'Torquefield', 'Gridsmith'],
    technologies: ['SAP', 'Oracle', 'Azure', 'Python'],
    pricing: { model: 'quote', unit: 'year', from: 5_000, to: 80_000 },
    conversationsPerEmployee: 6,
  },
  {
    words: ['media', 'entertainment', 'gaming', 'music', 'marketing', 'advert', 'social'],
    does: 'makes things people watch, play and share',
    customersAsk: 'accounts, subscriptions and content that does not play',
    competitors: ['Streamkite', 'Adverra', 'Playfold', 'Clipharbor', 'Audiencely', 'Brightreel'],
    technologies: ['Google Cloud', 'Golang', 'Redis', 'BigQuery'],
    pricing: { model: 'subscription', unit: 'month', from: 9, to: 200 },
    conversationsPerEmployee: 35,
  },
  {
    words: [
      'security',
      'cyber',
      'infrastructure',
      'cloud',
      'developer',
      'data',
      'database',
      'analytics',
      'observability',
    ],
    does: 'gives engineers the tools their systems stand on',
    customersAsk: 'errors, limits and how to set something up',
    competitors: ['Stackmoor', 'Tracelight', 'Queryfox', 'Bastionly', 'Cloudquarry', 'Pipelinea'],
    technologies: ['Kubernetes', 'Rust', 'Golang', 'Kafka'],
    pricing: { model: 'usage', unit: 'month', from: 20, to: 600 },
    conversationsPerEmployee: 12,
  },
  {
    words: [],
    does: 'makes software that other companies work with',
    customersAsk: 'accounts, invoices and how something is done',
    competitors: ['Workloom', 'Teamquill', 'Flowharbor', 'Deskwright', 'Suiteline', 'Opsgarden', 'Taskmeadow'],
    technologies: ['Node.js', 'Segment', 'HubSpot', 'Stripe'],
    pricing: { model: 'subscription', unit: 'user', from: 8, to: 120 },
    conversationsPerEmployee: 18,
  },
]

export const usualTechnologies: readonly string[] = usual

export function industryOf(name: string | null): Industry {
  const text = (name ?? '').toLowerCase()
  const known = industries.find(({ words }) => words.some((word) => text.includes(word)))
  return known ?? industries[industries.length - 1]!
}
