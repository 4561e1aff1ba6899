/**
 * Documents that clients may keep: bytes and headers are made once, in both encodings, and an answer only chooses between them (RFC 9110,
 * sections 8.8.3, 12.5.3 and 13.1.2).
 */
import { sha256Hex } from "../sha256.ts";
import type { HeaderRecord } from "./headers.ts";
import type { Reply } from "./replies.ts";

/** The bytes; as blobs, which all answers share, where each would have a copy of an array. */
interface Content {
  /** Strong entity tag of the plain form, quotes included. */
  readonly etag: string;
  readonly plain: Blob;
  readonly gzip: Blob;
}

/** One encoding of a document. */
interface Form {
  readonly body: Blob;
  /** Of the whole, and of the news that nothing changed. */
  readonly headers: HeaderRecord;
  readonly unchanged: HeaderRecord;
}

export interface Document {
  readonly etag: string;
  readonly plain: Form;
  readonly gzip: Form;
}

/** @param caching for `Cache-Control` */
export function documentOf({ etag, plain, gzip }: Content, contentType: string, caching: string): Document {
  const form = (body: Blob, tag: string, encoding: HeaderRecord): Form => {
    const unchanged = { etag: tag, "cache-control": caching, vary: "Accept-Encoding" };
    const headers = Object.freeze({ ...unchanged, "content-type": contentType, ...encoding });
    return { body, headers, unchanged: Object.freeze(unchanged) };
  };
  return {
    etag,
    plain: form(plain, etag, {}),
    // Two encodings are two representations: a strong tag must tell them apart (RFC 9110, section 8.8.3.3).
    gzip: form(gzip, `${etag.slice(0, -1)}-gzip"`, { "content-encoding": "gzip" }),
  };
}

/** The same of a text. */
export function documentOfText(text: string, contentType: string, caching: string): Document {
  const plain = new TextEncoder().encode(text);
  const etag = `"${sha256Hex(plain).slice(0, 32)}"`;
  return documentOf({ etag, plain: new Blob([plain]), gzip: new Blob([Bun.gzipSync(plain)]) }, contentType, caching);
}

/** The document, compressed if the client takes that, or 304 when it has it already. */
export function cached({ headers }: Request, document: Document): Reply {
  const form = takesGzip(headers.get("accept-encoding") ?? "") ? document.gzip : document.plain;
  return isKnown(headers.get("if-none-match") ?? "", document.etag)
    ? { status: 304, headers: form.unchanged, body: null }
    : { status: 200, headers: form.headers, body: form.body };
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
