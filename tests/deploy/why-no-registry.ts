import { registryFiles, registryLacks } from '../../deploy/local/registry.ts'

/** Why the registry cannot run here, in one line, or null. The first time this fetches it. */
export async function whyNoRegistry(): Promise<string | null> {
  const lacks = await registryLacks()
  if (lacks !== null) return lacks
  return registryFiles().then(
    () => null,
    (error: unknown) => String(error),
  )
}
