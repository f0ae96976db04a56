/** Later. */
export interface BenchOptions {
  readonly seconds: string;
  readonly clients: string;
  readonly only?: string;
  readonly json?: boolean;
}
export async function bench(
  _n: string,
  _o: BenchOptions,
  _t: unknown,
  _out: unknown,
): Promise<void> {}
