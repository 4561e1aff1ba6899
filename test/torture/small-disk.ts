/**
 * A disk that can be made full, and read-only, under a running process, with what this machine allows: a small tmpfs (ENOSPC) where one can
 * be mounted, and a limit on the size of the process's files (EFBIG) where it can be set from outside.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  /** What it is, for the report. */
  readonly how: string;
  readonly dataDir: string;
  /** It stays full for a process that starts anew. */
  readonly lasts: boolean;
  /** How a command must be started to live on it. */
  wrap(command: readonly string[]): readonly string[];
  /** Leaves no more than about `bytes` of room. */
  fill(pid: number, bytes: number): void;
  /** There is room again. */
  free(pid: number): void;
  close(): void;
}

const TMPFS_BYTES = 12 * 1024 * 1024;
const BLOCK = 4_096;

const succeeds = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** The kinds of disk that can be had here, at most so many. Whoever asks closes them. */
export function smallDisks(most: number): SmallDisk[] {
  const disks: SmallDisk[] = [];
  for (const make of [tmpfs, fileSizeLimit, immutable]) {
    const disk = disks.length < most ? make() : null;
    if (disk) disks.push(disk);
  }
  return disks;
}

function tmpfs(): SmallDisk | null {
  const dir = mkdtempSync(join(tmpdir(), "l402-disk-"));
  if (!succeeds("mount", "-t", "tmpfs", "-o", `size=${TMPFS_BYTES}`, "l402-torture", dir)) {
    rmSync(dir, { recursive: true });
    return null;
  }
  const filler = join(dir, "filler");
  const left = (): number => {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  };
  return {
    how: `a tmpfs of ${TMPFS_BYTES / 1024 / 1024} MB (ENOSPC)`,
    dataDir: join(dir, "data"),
    lasts: true,
    wrap: (command) => command,
    fill(_, bytes) {
      const fd = openSync(filler, "a");
      try {
        while (left() > bytes) writeSync(fd, new Uint8Array(BLOCK));
      } catch (error) {
        // The service took the last block.
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      } finally {
        closeSync(fd);
      }
    },
    free: () => rmSync(filler, { force: true }),
    close() {
      // Lazily: our own readers may not have been collected yet.
      spawnSync("umount", ["-l", dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Without SIGXFSZ, which would end the process, a write past the limit fails. */
function fileSizeLimit(): SmallDisk | null {
  if (!succeeds("prlimit", "--fsize=unlimited:", "true")) return null;
  const dir = mkdtempSync(join(tmpdir(), "l402-disk-"));
  const limit = (pid: number, bytes: string) => spawnSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
  return {
    how: "a limit on the size of files (EFBIG)",
    dataDir: dir,
    lasts: false,
    wrap: (command) => ["sh", "-c", 'trap "" XFSZ; exec "$0" "$@"', ...command],
    fill: (pid, bytes) => void limit(pid, String(bytes)),
    free: (pid) => void limit(pid, "unlimited"),
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/**
 * A database and a log that nobody may write to any more, not even who has them open. Not its shared memory: when that turns read-only, as
 * with a whole file system, the kernel ends the process (SIGBUS), which is a kill like any other.
 */
function immutable(): SmallDisk | null {
  const dir = mkdtempSync(join(tmpdir(), "l402-disk-"));
  const probe = join(dir, "probe");
  mkdirSync(probe);
  if (!succeeds("chattr", "+i", probe) || !succeeds("chattr", "-i", probe)) {
    rmSync(dir, { recursive: true });
    return null;
  }
  const dataDir = join(dir, "data");
  const files = () =>
    readdirSync(dataDir)
      .filter((name) => /^orders\.sqlite(-wal)?$/.test(name))
      .map((name) => join(dataDir, name));
  return {
    how: "a database that became read-only (EPERM)",
    dataDir,
    lasts: true,
    wrap: (command) => command,
    fill: () => void spawnSync("chattr", ["+i", ...files()]),
    free: () => void spawnSync("chattr", ["-i", ...files()]),
    close() {
      spawnSync("chattr", ["-R", "-i", dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
