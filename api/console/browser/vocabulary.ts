/** The words of the lifecycle, in its order, as the server wrote them on the page: they stand in the schemas alone. */

const said = document.getElementById('app')?.dataset ?? {}
const list = (name: 'stages' | 'steps' | 'topics'): readonly string[] => (said[name] ?? '').split(' ')

/** In the order in which a client passes them; the last four are where it can go wrong. */
export const stages = list('stages')
export const steps = list('steps')
export const topicNames = list('topics')
