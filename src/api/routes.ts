/**
 * Every route of the service, by its pattern. A closed list: it labels metrics and access logs, so that no path of a
 * client ever becomes a label, and it knows which methods a path takes.
 */
export const ROUTES = [
  "GET /health",
  "GET /livez",
  "GET /readyz",
  "GET /metrics",
  "GET /.well-known/402index-verify.txt",
  "GET /.well-known/l402-services",
  "GET /skill.md",
  "GET /llms.txt",
  "GET /v2/l402",
  "GET /v2/l402/services",
  "GET /v2/l402/catalog",
  "GET /v2/l402/order",
  "HEAD /v2/l402/order",
  "POST /v2/l402/order",
  "GET /v2/l402/order/:id",
  "HEAD /v2/l402/order/:id",
  "POST /v2/l402/order/:id/cancel",
  "POST /v2/l402/order/:id/refund-invoice",
  "POST /v2/l402/order/:id/refund-link",
  "GET /v2/l402/withdraw/:id",
  "HEAD /v2/l402/withdraw/:id",
  "GET /v2/l402/withdraw/:id/:secret",
  "POST /v2/l402/webhooks/rent",
  "POST /v2/l402/webhooks/rent/:secret",
  "GET /docs",
  "GET /docs/json",
  "GET /docs/start.js",
  "GET /docs/swagger-ui.css",
  "GET /docs/swagger-ui-bundle.js",
] as const;

export type Route = (typeof ROUTES)[number];

const TABLE = ROUTES.map((route) => {
  const [method = "", pattern = ""] = route.split(" ");
  return { method, segments: pattern.split("/") };
});

/** Methods that a path takes beside OPTIONS; empty when there is no such path. */
export function methodsOf(path: string): string[] {
  const segments = (path.endsWith("/") ? path.slice(0, -1) : path).split("/");
  const matching = TABLE.filter(
    (route) =>
      route.method !== "HEAD" &&
      route.segments.length === segments.length &&
      route.segments.every((segment, index) => segment.startsWith(":") || segment === segments[index]),
  );
  return matching.map((route) => route.method);
}
