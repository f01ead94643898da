/** Topics: making them, asking for them, and what an empty one answers. */

import { consume, fetchAll, fetchCommitted, offsetOf, script, topic } from '../steps.ts'
import type { Step } from '../steps.ts'

const metadata = (...topics: string[]): Step => ({ do: 'metadata', topics })

export const topics = [
  script('topics: made and known', topic('in', 3), topic('out'), metadata('in', 'out')),
  script('topics: unknown ones are left out', topic('in'), metadata('in', 'nowhere'), metadata('nowhere')),
  script('topics: an existing one is refused and stays', topic('in', 2), topic('in', 5), metadata('in')),
  script('topics: a name with a blank is refused', topic('not good'), metadata('not good')),
  script('topics: a name with a slash is refused', topic('a/b')),
  script('topics: a name may have dots, dashes, underscores', topic('a.b-c_d'), metadata('a.b-c_d')),
  script('topics: a name of 240 letters is taken, of 250 refused', topic('n'.repeat(240)), topic('n'.repeat(250))),
  script('topics: no partitions is refused', topic('in', 0)),
  script('topics: a negative number of partitions is refused', topic('in', -2)),
  script('topics: a configuration value that is no number', topic('in', 1, { 'segment.ms': 'soon' })),
  script('topics: a cleanup policy that does not exist', topic('in', 1, { 'cleanup.policy': 'burn' })),
  script('topics: a configuration name that does not exist', topic('in', 1, { 'no.such.setting': '1' })),
  script(
    'topics: an empty partition',
    topic('in'),
    offsetOf('in:0', 'earliest'),
    offsetOf('in:0', 'latest'),
    offsetOf('in:0', 'stable'),
    fetchAll('in:0'),
    fetchCommitted('in:0'),
    consume('in:0'),
  ),
  script('topics: offsets of a partition that does not exist', topic('in'), offsetOf('in:7', 'latest')),
  script('topics: reading a partition that does not exist', topic('in'), fetchAll('in:7'), fetchAll('nowhere:0')),
]
