/** How the listener is set up; the application itself does not know on which port it is. */

export interface Listener {
  /** Never left out: without it Elysia listens on every interface. */
  readonly hostname: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * What `app.listen` is given.
 *
 * - Bodies are limited to 16 KiB by the application itself (`limits.ts`), which stops reading there. The listener's own
 *   limit would answer a larger Content-Length with an empty 413, so it is put out of the way.
 * - `development` would send source code in error pages, `reusePort` would let a second process share the port silently.
 */
export const serveOptions = ({ hostname, port }: Listener) => ({
  hostname,
  port,
  maxRequestBodySize: 2 ** 40,
  /** Seconds of silence on a connection; longer than any answer takes. */
  idleTimeout: 60,
  development: false,
  reusePort: false,
});
