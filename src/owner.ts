/**
 * Who owns the files of the data directory. The server often runs under a user of its own and the commands beside it under root: a file that
 * root leaves there must be one that the server can read and write.
 */
import { lchownSync, lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Gives a file of ours to whoever owns its directory. Only root can, and only root needs to; one whose right to do so was taken away (a
 * container without CAP_CHOWN) keeps it, and the server says at its start which file it cannot use. Links are not followed: whoever may write
 * in the directory could have root give away any file of the machine.
 */
export function giveToOwner(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  const now = lstatSync(path);
  if (now.uid === uid && now.gid === gid) return;
  try {
    lchownSync(path, uid, gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}
