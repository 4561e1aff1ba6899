/** A server that answers what a test tells it to, byte by byte, and remembers what it was asked. */

export interface Asked {
  /** "METHOD /path?query". */
  readonly what: string;
  readonly headers: Headers;
  readonly text: string;
}

type Answer = (asked: Asked) => Response | Promise<Response>;

export class ScriptedServer {
  readonly asked: Asked[] = [];
  readonly #answers: { readonly start: string; readonly answer: Answer }[] = [];
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Answers requests whose "METHOD /path" starts with `start`; the newest rule wins. */
  on(start: string, answer: Answer): void {
    this.#answers.unshift({ start, answer });
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const asked = {
      what: `${request.method} ${pathname}${search}`,
      headers: request.headers,
      text: await request.text(),
    };
    this.asked.push(asked);
    const rule = this.#answers.find(({ start }) => asked.what.startsWith(start));
    return rule ? rule.answer(asked) : new Response("no rule", { status: 404 });
  }
}
