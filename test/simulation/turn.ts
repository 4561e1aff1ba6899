/** A number that is another with each commit, and the same on every machine: fresh seeds whose failure anybody can see again. */
export function commitTurn(root: string): number {
  const { stdout } = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: root, stderr: "ignore" });
  return Number.parseInt(stdout.toString().slice(0, 8), 16) || 1;
}
