/** Time that this process computed, in ms: unlike a clock it does not count what other processes on the machine were doing meanwhile. */
export function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** Time that this thread has computed so far, in ms: what other threads of the process do beside it does not count either. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
