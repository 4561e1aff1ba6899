/**
 * How the sandbox itself answers: always JSON, errors in one form. The peers answer in their own vendors' forms.
 */

const JSON_TYPE = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };

export function answer(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: JSON_TYPE });
}

/** `message` is a sentence for people and never repeats secrets of the request. */
export function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error: { code, message } }), { status, headers: { ...JSON_TYPE, ...headers } });
}

/** The connection breaks before a byte of the answer: Bun cuts it when a body fails before its first chunk. */
export function brokenConnection(): Response {
  return new Response(new ReadableStream({ start: (controller) => controller.error() }));
}
