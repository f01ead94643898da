/** The driver over the machine's clock, for tests that talk to real sockets. */

import { openKafkaLog as openLog } from '../../../../connectors/kafka/index.ts'
import type { Broker, KafkaLogOptions, Log } from '../../../../connectors/kafka/index.ts'
import { connectKafka as connect } from '../../../../connectors/kafka/wire/index.ts'
import { machineClock, machineRandom } from '../../../../deploy/machine.ts'

type Options = Omit<KafkaLogOptions, 'clock' | 'random'>

export const connectKafka = (options: Options): Promise<Broker> => connect({ ...options, clock: machineClock })

export const openKafkaLog = (options: Options): Promise<Log> =>
  openLog({ ...options, clock: machineClock, random: machineRandom })
