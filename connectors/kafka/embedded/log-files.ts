/** The little the embedded log needs of a file system. Two storages implement it: node:fs and memory. */

export interface LogFile {
  size(): Promise<number>
  /** Writes all of `bytes` at `position`, which is the end of what is known to be good. A failure may leave a part. */
  append(bytes: readonly Buffer[], position: number): Promise<void>
  /** At most `length` bytes; fewer at the end of the file. */
  pread(position: number, length: number): Promise<Buffer>
  truncate(size: number): Promise<void>
  /** Makes what was written outlive a power failure. */
  fsync(): Promise<void>
  close(): Promise<void>
}

export interface LogFiles {
  /** With its parents; nothing happens when it is there. */
  makeDirectory(path: string): Promise<void>
  /** Names in a directory, sorted; none when there is no such directory. */
  list(path: string): Promise<readonly string[]>
  /** For reading and writing; made when it is missing. */
  open(path: string): Promise<LogFile>
  /** Atomically replaces `to`. */
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes created, renamed and removed names outlive a power failure. */
  fsyncDirectory(path: string): Promise<void>
}
