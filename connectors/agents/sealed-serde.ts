/** How a tenant's checkpoints become bytes: what people have said in them is sealed, as every personal field is. */

import type { SerializerProtocol } from '@langchain/langgraph-checkpoint'
import { JsonPlusSerializer } from '@langchain/langgraph-checkpoint'
import type { FieldCipher } from '../../schemas/index.ts'
import { erased, fieldTag } from '../../schemas/index.ts'

const field = fieldTag(['demo-chat', 'checkpoint'])

/** The tenant's data key was destroyed: nothing of its threads can be read any more. */
export class ThreadErased extends Error {
  constructor() {
    super('what was said in this thread was erased')
    this.name = 'ThreadErased'
  }
}

/** @param cipher of the tenant that the thread is of; `loadsTyped` throws BadRecord when it was sealed for another */
export function sealedSerde(cipher: FieldCipher): SerializerProtocol {
  const inner = new JsonPlusSerializer()
  return {
    async dumpsTyped(data: unknown) {
      const [type, bytes] = await inner.dumpsTyped(data)
      return [type, cipher.seal(field, Buffer.from(bytes).toString(encodingOf(type)))]
    },
    async loadsTyped(type, data) {
      const text = cipher.open(field, Buffer.from(data as Uint8Array))
      if (text === erased) throw new ThreadErased()
      return (await inner.loadsTyped(type, Buffer.from(text, encodingOf(type)))) as unknown
    },
  }
}

const encodingOf = (type: string): 'utf8' | 'base64' => (type === 'json' ? 'utf8' : 'base64')
