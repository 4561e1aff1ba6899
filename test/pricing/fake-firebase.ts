/** A Realtime Database of one node, as its REST interface shows it: JSON, ETags, `if-match`, an auth secret. */

export interface FakeFirebase {
  readonly baseUrl: string;
  /** The stored JSON text; "null" is an absent node. */
  value: string;
  /** Runs before each PUT is looked at: another writer's chance. */
  beforePut: () => void;
  readonly requests: { method: string; url: string; headers: Headers }[];
  stop(): void;
}

export function fakeFirebase(allowed: (request: Request) => boolean = () => true): FakeFirebase {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      fake.requests.push({ method: request.method, url: request.url, headers: new Headers(request.headers) });
      if (new URL(request.url).pathname !== "/sms4sats/fxrates/current.json")
        return new Response(null, { status: 404 });
      if (!allowed(request)) return Response.json({ error: "Permission denied" }, { status: 401 });
      if (request.method === "PUT") {
        fake.beforePut();
        const match = request.headers.get("if-match");
        if (match !== null && match !== etag())
          return new Response(fake.value, { status: 412, headers: { etag: etag() } });
        fake.value = await request.text();
        return new Response(fake.value);
      }
      const wantsTag = request.headers.get("x-firebase-etag") === "true";
      return new Response(fake.value, { headers: wantsTag ? { etag: etag() } : {} });
    },
  });
  const etag = () => (fake.value === "null" ? "null_etag" : Bun.hash(fake.value).toString(36));
  const fake: FakeFirebase = {
    baseUrl: `http://127.0.0.1:${server.port}`,
    value: "null",
    beforePut: () => {},
    requests: [],
    stop: () => void server.stop(true),
  };
  return fake;
}
