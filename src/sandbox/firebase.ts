/**
 * A Firebase Realtime Database over its REST interface, with conditional writes by ETag
 * (firebase.google.com/docs/reference/rest/database, "Conditional Requests").
 */
import type { Database } from "bun:sqlite";
import { ConnectionReset, type Faults, hang } from "./faults.ts";
import { isStorable, type Json, parsePath, valueAt, withValue } from "./firebase-tree.ts";

/** Actions of the peer "firebase". */
export const FIREBASE_ACTIONS = ["get", "put", "patch", "delete"] as const;
export const FIREBASE_FAULTS = ["http500", "unauthorized", "conflict", "hang", "reset"] as const;

const PREFIX = "/firebase";
/** The whole tree; Firebase itself allows far more. */
const MAX_TREE_BYTES = 1024 * 1024;

export class FirebasePeer {
  readonly #books: Database;
  readonly #faults: Faults;
  readonly #auth: string | null;

  /** `auth` is the database secret every call must bring as `?auth=` or `?access_token=`; null lets everyone in. */
  constructor(of: { books: Database; faults: Faults; auth?: string | null }) {
    this.#books = of.books;
    this.#faults = of.faults;
    this.#auth = of.auth ?? null;
    of.books.run(
      "CREATE TABLE IF NOT EXISTS firebase (id INTEGER PRIMARY KEY CHECK (id = 1), tree TEXT NOT NULL) STRICT",
    );
  }

  /** @throws ConnectionReset on the fault `reset`; rejects when the caller gives up on `hang`. */
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const action = FIREBASE_ACTIONS.find((action) => action === request.method.toLowerCase());
    if (!action) return json({ error: "Method not supported." }, 405);
    const path = parsePath(url.pathname.slice(PREFIX.length));
    if (!path) return json({ error: "Invalid path: Invalid token in path" }, 400);

    const fault = this.#faults.take("firebase", action)?.fault;
    if (fault === "hang") return hang(request.signal);
    if (fault === "reset") throw new ConnectionReset();
    if (fault === "http500") return json({ error: "Internal server error." }, 500);
    const key = url.searchParams.get("auth") ?? url.searchParams.get("access_token");
    if (fault === "unauthorized" || (this.#auth !== null && key !== this.#auth)) {
      return json({ error: key === null ? "Permission denied" : "Could not parse auth token." }, 401);
    }

    const body = action === "put" || action === "patch" ? await readJson(request) : null;
    if (body === undefined) return json({ error: "Invalid data; couldn't parse JSON object, array, or value." }, 400);
    // From here on nothing waits: between look and write no other call comes in.
    const tree = this.#tree();
    const before = valueAt(tree, path);
    const expected = request.headers.get("if-match");
    const wantsEtag = request.headers.get("x-firebase-etag")?.toLowerCase() === "true";
    if (action === "get") return json(before, 200, wantsEtag ? etagHeader(before) : {});
    if (fault === "conflict" || (expected !== null && expected !== etag(before))) {
      return json(before, 412, etagHeader(before));
    }
    const after = action === "patch" ? merged(before, body) : body;
    if (after === undefined) return json({ error: "Invalid data; couldn't parse JSON object." }, 400);
    if (!this.#store(withValue(tree, path, after)))
      return json({ error: "Data to write exceeds the maximum size." }, 400);
    if (url.searchParams.get("print") === "silent") return new Response(null, { status: 204 });
    return json(body, 200, wantsEtag ? etagHeader(valueAt(this.#tree(), path)) : {});
  }

  #tree(): Json {
    const row = this.#books.query<{ tree: string }, []>("SELECT tree FROM firebase WHERE id = 1").get();
    return row ? (JSON.parse(row.tree) as Json) : null;
  }

  #store(tree: Json): boolean {
    const text = JSON.stringify(tree);
    if (Buffer.byteLength(text) > MAX_TREE_BYTES) return false;
    this.#books
      .query("INSERT INTO firebase (id, tree) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET tree = excluded.tree")
      .run(text);
    return true;
  }
}

/** PATCH replaces the named children only; undefined when the body is not an object. */
function merged(before: Json, body: Json): Json | undefined {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  return Object.entries(body).reduce((value, [key, child]) => withValue(value, [key], child), before);
}

async function readJson(request: Request): Promise<Json | undefined> {
  try {
    const body = JSON.parse(await request.text()) as Json;
    return isStorable(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

/** The same value always has the same ETag; what does not exist has Firebase's `null_etag`. */
function etag(value: Json): string {
  if (value === null) return "null_etag";
  return new Bun.CryptoHasher("sha1").update(JSON.stringify(value)).digest("base64");
}

const etagHeader = (value: Json): Record<string, string> => ({ etag: etag(value) });

function json(body: Json, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers });
}
