/** What lies beside a backup and says what it is: without it, or with another file than it speaks of, nothing is restored. */

import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

export const Manifest = Type.Object({
  format: Type.Literal(1),
  /** Version of the program, and of the database's schema. */
  program: Type.String(),
  schema: Type.Integer(),
  takenAt: Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$" }),
  /** Newest order or posting; ISO-8601, null in an empty database. */
  newestAt: Type.Union([Type.String(), Type.Null()]),
  network: Type.Union([Type.String(), Type.Null()]),
  nodePubkey: Type.Union([Type.String(), Type.Null()]),
  /** Digest of the provider's key. */
  providerAccount: Type.Union([Type.String(), Type.Null()]),
  sandbox: Type.Union([Type.Boolean(), Type.Null()]),
  /** Where the stream of settlements stood. */
  settleCursor: Type.Union([Type.String(), Type.Null()]),
  orders: Type.Integer(),
  bytes: Type.Integer(),
  /** Of the whole file, lower-case hex. */
  sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
});
export type Manifest = Static<typeof Manifest>;

export const manifestPath = (backup: string): string => `${backup}.manifest.json`;

export function parseManifest(text: string): Manifest | null {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(Manifest, value) ? value : null;
  } catch {
    return null;
  }
}
