/** Answers that are not refusals: JSON, text, and documents that can be cached and compressed. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** Not to be kept by anyone: the answer is about one order or one moment. */
export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}

export function text(body: string, contentType: string, cacheControl: string): Response {
  return new Response(body, { headers: { "content-type": contentType, "cache-control": cacheControl } });
}

/** One document in both encodings, prepared once. */
export interface Representation {
  /** Strong entity tag of the plain form, quotes included. */
  readonly etag: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

export function represent(plain: Uint8Array<ArrayBuffer>): Representation {
  const etag = `"${bytesToHex(sha256(plain)).slice(0, 32)}"`;
  return { etag, plain, gzip: Bun.gzipSync(plain) };
}

/** The document, compressed if the client takes that, or 304 when it has it already (RFC 9110, section 13.1.2). */
export function cached(
  request: Request,
  document: Representation,
  contentType: string,
  cacheControl: string,
): Response {
  const zipped = takesGzip(request.headers.get("accept-encoding") ?? "");
  const headers: Record<string, string> = {
    // Two encodings are two representations: a strong tag must tell them apart (RFC 9110, section 8.8.3.3).
    etag: zipped ? `${document.etag.slice(0, -1)}-gzip"` : document.etag,
    "cache-control": cacheControl,
    vary: "Accept-Encoding",
  };
  if (isKnown(request.headers.get("if-none-match") ?? "", document.etag)) {
    return new Response(null, { status: 304, headers });
  }
  headers["content-type"] = contentType;
  if (zipped) headers["content-encoding"] = "gzip";
  return new Response(zipped ? document.gzip : document.plain, { headers });
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
