/** The database under the journal, which can refuse one step in the middle of its rows, as a broken constraint would. */
import type { Database } from "bun:sqlite";

/** What SQLite says of a row that breaks a rule of its table. */
export class ConstraintBroken extends Error {
  readonly code = "SQLITE_CONSTRAINT";

  constructor() {
    super("a constraint of a table is broken");
    this.name = "SQLiteError";
  }
}

/** The journal's statement after the order's own row: what comes before it is written already. */
const EVENT = "INSERT INTO events";

/** @param refuses asked at every event of a step. */
export function refusingDisk(db: Database, refuses: () => boolean): Database {
  /** The row that was refused: it is no better when the journal undoes the group and tries each step on its own. */
  let broken: string | null = null;
  const isRefused = (row: string): boolean => {
    if (broken === null && refuses()) broken = row;
    else if (broken === row) broken = null;
    else return false;
    return true;
  };
  return new Proxy(db, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== "prepare") return typeof value === "function" ? value.bind(target) : value;
      return (sql: string) => {
        const statement = target.prepare(sql);
        if (!sql.startsWith(EVENT)) return statement;
        return {
          run(...values: never[]) {
            if (isRefused(values.slice(0, 2).join(":"))) throw new ConstraintBroken();
            return statement.run(...values);
          },
        };
      };
    },
  });
}
