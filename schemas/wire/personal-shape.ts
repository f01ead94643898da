/** Whether anything in a schema is encrypted: only then a key is looked up. */

import type { Shape } from './shape.ts'

export function hasPersonal(shape: Shape): boolean {
  switch (shape.kind) {
    case 'record':
      return shape.fields.some((field) => hasPersonal(field.shape))
    case 'array':
      return hasPersonal(shape.items)
    case 'map':
      return hasPersonal(shape.values)
    case 'union':
      return shape.branches.some(hasPersonal)
    case 'bytes':
      return shape.logicalType === 'personal-text' || shape.logicalType === 'personal-json'
    default:
      return false
  }
}
