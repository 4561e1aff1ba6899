/** Time that this process computed, in ms: unlike a clock it does not count what other processes on the machine were doing meanwhile. */
export function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
