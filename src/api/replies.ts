/** Answers that are not refusals: JSON, text, and documents that can be cached and compressed. */
import { sha256Hex } from "../sha256.ts";

/** What a route says. The gate makes the one `Response` of it, because each header that is set on a finished one costs again. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Blob | null;
}

/** The same reply with more headers, or others in place of its own. */
export const withHeaders = (reply: Reply, headers: Readonly<Record<string, string>>): Reply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});

const NOT_KEPT = { "content-type": "application/json", "cache-control": "no-store" };

/** Not to be kept by anyone: the answer is about one order or one moment. */
export const json = (value: unknown, status = 200): Reply => jsonText(JSON.stringify(value), status);

/** The same of a value that is text already. */
export const jsonText = (body: string, status = 200): Reply => ({ status, headers: NOT_KEPT, body });

export const text = (body: string, contentType: string, cacheControl: string): Reply => ({
  status: 200,
  headers: { "content-type": contentType, "cache-control": cacheControl },
  body,
});

/** One document in both encodings, prepared once; as blobs, which all answers share, where each would have a copy of an array. */
export interface Representation {
  /** Strong entity tag of the plain form, quotes included. */
  readonly etag: string;
  readonly plain: Blob;
  readonly gzip: Blob;
}

export function represent(text: string): Representation {
  const plain = new TextEncoder().encode(text);
  const etag = `"${sha256Hex(plain).slice(0, 32)}"`;
  return { etag, plain: new Blob([plain]), gzip: new Blob([Bun.gzipSync(plain)]) };
}

/** The document, compressed if the client takes that, or 304 when it has it already (RFC 9110, section 13.1.2). */
export function cached(request: Request, document: Representation, contentType: string, cacheControl: string): Reply {
  const zipped = takesGzip(request.headers.get("accept-encoding") ?? "");
  const headers: Record<string, string> = {
    // Two encodings are two representations: a strong tag must tell them apart (RFC 9110, section 8.8.3.3).
    etag: zipped ? `${document.etag.slice(0, -1)}-gzip"` : document.etag,
    "cache-control": cacheControl,
    vary: "Accept-Encoding",
  };
  if (isKnown(request.headers.get("if-none-match") ?? "", document.etag)) {
    return { status: 304, headers, body: null };
  }
  headers["content-type"] = contentType;
  if (zipped) headers["content-encoding"] = "gzip";
  return { status: 200, headers, body: zipped ? document.gzip : document.plain };
}

/** `Accept-Encoding` names gzip, or anything, without refusing it (RFC 9110, section 12.5.3). */
export function takesGzip(header: string): boolean {
  let any = false;
  for (const part of header.toLowerCase().slice(0, 512).split(",")) {
    const [coding, ...parameters] = part.split(";").map((word) => word.trim());
    if (coding !== "gzip" && coding !== "x-gzip" && coding !== "*") continue;
    const refused = parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
    if (coding !== "*") return !refused;
    any = !refused;
  }
  return any;
}

/** Weak comparison, and either encoding's tag counts: both say the same thing. */
function isKnown(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch
    .slice(0, 1024)
    .split(",")
    .some(
      (tag) =>
        tag
          .trim()
          .replace(/^W\//, "")
          .replace(/-gzip"$/, '"') === etag,
    );
}
