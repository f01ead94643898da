/** Where AWS itself answers for S3, said in full: left out, the SDK would take an address out of the environment or of a file. */

/** @param region as `eu-central-1` */
export const awsEndpoint = (region: string): string =>
  `https://s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
