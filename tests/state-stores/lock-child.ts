/** Takes the directory's lock, says so, and holds it until it is killed. */

import { lockDirectory } from '../../state-stores/index.ts'

await lockDirectory(process.argv[2] as string)
process.stdout.write('locked\n')
setInterval(() => {}, 1000)
