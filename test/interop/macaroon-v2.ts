/**
 * Just enough of libmacaroons' v2 binary form (doc/format.txt) and of the L402 identifier (aperture, l402/identifier.go) for clients that
 * look inside, written apart from the service's own codec.
 */
import { createHmac } from "node:crypto";

export interface Decoded {
  readonly location: string;
  readonly paymentHash: string;
  readonly caveats: readonly string[];
}

interface Field {
  readonly type: number;
  readonly data: Buffer;
}

const EOS = 0;
const LOCATION = 1;
const IDENTIFIER = 2;
const SIGNATURE = 6;

function fieldsOf(bytes: Buffer): Field[] {
  if (bytes[0] !== 2) throw new Error("Not a v2 macaroon");
  const fields: Field[] = [];
  let at = 1;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("Macaroon ends early");
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const type = varint();
    const length = type === EOS ? 0 : varint();
    if (at + length > bytes.length) throw new Error("Macaroon ends early");
    fields.push({ type, data: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

/** What go-macaroon's UnmarshalBinary and aperture's DecodeIdentifier insist on. @throws Error */
export function decodeL402(bytes: Buffer): Decoded {
  const fields = fieldsOf(bytes);
  const shape = fields.map(({ type }) => type).join(" ");
  if (!/^1 2 0( 2 0)* 0 6$/.test(shape)) throw new Error(`Not the shape of a macaroon: ${shape}`);
  const [identifier, ...caveats] = fields.filter(({ type }) => type === IDENTIFIER).map(({ data }) => data);
  const location = fields.find(({ type }) => type === LOCATION)?.data.toString() ?? "";
  if (identifier?.length !== 66 || identifier.readUInt16BE(0) !== 0) throw new Error("Identifier is not version 0");
  if (fields.at(-1)?.data.length !== 32) throw new Error("Signature is not 32 bytes");
  return {
    location,
    paymentHash: identifier.subarray(2, 34).toString("hex"),
    caveats: caveats.map((data) => data.toString("utf8")),
  };
}

/** The macaroon with one more first-party caveat (aperture, l402/caveat.go, AddFirstPartyCaveats). */
export function withCaveat(bytes: Buffer, caveat: string): Buffer {
  const signature = fieldsOf(bytes).findLast(({ type }) => type === SIGNATURE)?.data ?? Buffer.alloc(0);
  const next = createHmac("sha256", signature).update(caveat).digest();
  // Everything up to the end of the caveats: what follows is one mark, and the signature's type, length and 32 bytes.
  const head = bytes.subarray(0, bytes.length - 35);
  const id = Buffer.from(caveat);
  if (id.length > 127) throw new Error("Caveat is too long for one byte of length");
  return Buffer.concat([head, Buffer.from([IDENTIFIER, id.length]), id, Buffer.from([EOS, EOS, SIGNATURE, 32]), next]);
}
