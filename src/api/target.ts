/**
 * What a request asks for. Not by `new URL(request.url)`: the listener puts whatever the client wrote as its Host in front,
 * and where that is no host the URL is none, or is the path alone.
 */

const ORIGIN = /^[a-z]+:\/\/[^/?#]*/i;

export interface Target {
  /** As it came, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
}

export function targetOf({ url }: Pick<Request, "url">): Target {
  const [target = ""] = url.replace(ORIGIN, "").split("#", 1);
  const mark = target.indexOf("?");
  return mark < 0
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}
