/** What the OpenAPI document says about the documents for agents and indexes. */
import type { RouteDoc } from "./openapi.ts";

export const OVERVIEW_DOC: RouteDoc = {
  operationId: "discover",
  tag: "Discovery",
  summary: "Discovery and documentation as data",
  description: "Endpoints, order types and fields, statuses, errors, price rule, times and limits.",
  answers: [{ status: 200, description: "The document", content: { type: "application/json", schema: "Discovery" } }],
};

export const MANIFEST_DOC: RouteDoc = {
  operationId: "l402Services",
  tag: "Discovery",
  summary: "What is sold here, for L402 indexes",
  description: "Below 4 KB; no field of a request is required.",
  answers: [{ status: 200, description: "The document", content: { type: "application/json", schema: "Discovery" } }],
};

export const VERIFY_DOC: RouteDoc = {
  operationId: "indexVerification",
  tag: "Discovery",
  summary: "Proof of ownership for 402index",
  description: "The configured token, and nothing else.",
  answers: [{ status: 200, description: "The token", content: { type: "text/plain" } }],
  errors: ["NOT_FOUND"],
};

export const SKILL_DOC: RouteDoc = {
  operationId: "skill",
  tag: "Discovery",
  summary: "The manual for agents",
  description: "Markdown, with this server's URL, times, limits and price rule.",
  answers: [{ status: 200, description: "The manual", content: { type: "text/markdown" } }],
};

export const LLMS_DOC: RouteDoc = {
  operationId: "llms",
  tag: "Discovery",
  summary: "Where the documents are (llmstxt.org)",
  description: "Links to the documents.",
  answers: [{ status: 200, description: "The links", content: { type: "text/plain" } }],
};
