/**
 * Clients and libraries that are too heavy, or too particular, to be everybody's dependency: installed into a folder of their own when the
 * whole matrix is made. What cannot be had on a machine is left out, and said.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Driver, purchase, type Session, type Shop } from "./client-row.ts";

const VERSIONS = {
  "lsat-js": "2.0.6",
  mppx: "0.11.0",
  viem: "2.54.0",
  macaroon: "3.0.4",
  "light-bolt11-decoder": "3.2.0",
} as const;

/** Runs a program to its end. @returns what it printed, or null when it is not there or failed. */
export async function tool(command: readonly string[], cwd: string, limitMs = 300_000): Promise<string | null> {
  try {
    const child = Bun.spawn([...command], {
      cwd,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
      timeout: limitMs,
      env: { ...process.env, GOFLAGS: "-mod=mod" },
    });
    const [output, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    return code === 0 ? output.trim() : null;
  } catch {
    return null;
  }
}

/** Installs the npm packages into `dir`. @returns whether they are there. */
export async function installPackages(dir: string): Promise<boolean> {
  mkdirSync(dir, { recursive: true });
  const manifest = {
    private: true,
    dependencies: VERSIONS,
    // lsat-js names a git repository for it.
    overrides: { macaroon: VERSIONS.macaroon },
  };
  writeFileSync(join(dir, "package.json"), JSON.stringify(manifest, null, 2));
  if (existsSync(join(dir, "node_modules", "mppx"))) return true;
  const flags = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  return (await tool(["npm", "install", ...flags], dir)) !== null;
}

// biome-ignore lint/suspicious/noExplicitAny: packages that are not dependencies have no types here
const load = async (dir: string, name: string): Promise<any> => import(Bun.resolveSync(name, dir));

export async function extraDrivers(dir: string): Promise<Driver[]> {
  const { Lsat } = await load(dir, "lsat-js");
  const { Challenge, Credential, Receipt } = await load(dir, "mppx");

  const lsat = (shop: Shop): Session => {
    let header = "";
    const authorization = async (): Promise<string> => {
      const token = Lsat.fromHeader(header);
      token.setPreimage(await shop.pay(token.invoice));
      return token.toToken();
    };
    const show = async () => purchase(shop, { authorization: await authorization() });
    return {
      async buy() {
        header = (await purchase(shop)).headers.get("www-authenticate") ?? "";
        return show();
      },
      replay: show,
      poll: async (url) => fetch(url, { headers: { authorization: await authorization() } }),
      recover: show,
    };
  };

  const mpp = (shop: Shop): Session => {
    let challenge: { readonly request: { readonly methodDetails: { readonly invoice: string } } } | null = null;
    const authorization = async (): Promise<string> => {
      if (!challenge) throw new Error("there is no challenge");
      const preimage = await shop.pay(challenge.request.methodDetails.invoice);
      return Credential.serialize(Credential.from({ challenge, payload: { preimage } }));
    };
    const show = async (): Promise<Response> => {
      const response = await purchase(shop, { authorization: await authorization() });
      if (Receipt.fromResponse(response).status !== "success") throw new Error("no receipt");
      return response;
    };
    return {
      async buy() {
        const response = await purchase(shop, { "accept-payment": "lightning/charge" });
        const offers = Challenge.fromResponseList(response) as { method: string; intent: string }[];
        challenge = (offers.find(({ method, intent }) => method === "lightning" && intent === "charge") ??
          null) as never;
        return show();
      },
      replay: show,
      poll: async (url) => fetch(url, { headers: { authorization: await authorization() } }),
      recover: show,
    };
  };

  return [
    { client: "lsat-js", version: VERSIONS["lsat-js"], how: "package", start: lsat },
    { client: "mppx", version: VERSIONS.mppx, how: "package", start: mpp },
  ];
}

/** A token of ours as other libraries are asked about it. */
export interface Token {
  readonly base64: string;
  readonly rootKeyHex: string;
  readonly caveats: readonly string[];
}

export interface Verdict {
  readonly library: string;
  readonly version: string;
  /** "yes", "not here", or what it said. */
  readonly verifies: string;
}

/** Macaroon libraries verify the chain of our token and meet each of its caveats. */
export async function macaroonVerdicts(dir: string, token: Token): Promise<Verdict[]> {
  return [await javascript(dir, token), await python(dir, token), await go(dir, token)];
}

async function javascript(dir: string, { base64, rootKeyHex, caveats }: Token): Promise<Verdict> {
  const library = { library: "js-macaroon", version: VERSIONS.macaroon };
  try {
    const { importMacaroon } = await load(dir, "macaroon");
    const macaroon = importMacaroon(base64);
    macaroon.verify(
      Buffer.from(rootKeyHex, "hex"),
      (caveat: string) => (caveats.includes(caveat) ? null : "unmet"),
      [],
    );
    return { ...library, verifies: "yes" };
  } catch (error) {
    return { ...library, verifies: error instanceof Error ? error.message : "refused" };
  }
}

const PYTHON = `
import base64, sys
from pymacaroons import Macaroon, Verifier
token, key, caveats = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3:]
m = Macaroon.deserialize(base64.urlsafe_b64encode(base64.b64decode(token)).decode().rstrip("="))
v = Verifier()
for caveat in caveats: v.satisfy_exact(caveat)
# The package derives its key from a text key first; ours are keys already.
import hmac, hashlib
generator = hmac.new(b"macaroons-key-generator", key, hashlib.sha256).digest()
signature = hmac.new(generator, m.identifier_bytes, hashlib.sha256).digest()
for caveat in m.caveats: signature = hmac.new(signature, caveat.caveat_id_bytes, hashlib.sha256).digest()
assert signature.hex() == m.signature, "signature"
assert v.verify(m, key), "verify"
print("yes")
`;

async function python(dir: string, { base64, rootKeyHex, caveats }: Token): Promise<Verdict> {
  const library = { library: "pymacaroons", version: "0.13.0" };
  const venv = join(dir, "python");
  const bin = join(venv, "bin", "python");
  if (!existsSync(bin) && (await tool(["python3", "-m", "venv", venv], dir)) === null)
    return { ...library, verifies: "not here" };
  const installed = await tool([bin, "-m", "pip", "install", "-q", `pymacaroons==${library.version}`], dir);
  if (installed === null) return { ...library, verifies: "not here" };
  const verifies = await tool([bin, "-c", PYTHON, base64, rootKeyHex, ...caveats], dir);
  return { ...library, verifies: verifies ?? "refused" };
}

const GO = `package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"

	"gopkg.in/macaroon.v2"
)

func main() {
	raw, _ := base64.StdEncoding.DecodeString(os.Args[1])
	key, _ := hex.DecodeString(os.Args[2])
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		panic(err)
	}
	met := map[string]bool{}
	for _, caveat := range os.Args[3:] {
		met[caveat] = true
	}
	check := func(caveat string) error {
		if met[caveat] {
			return nil
		}
		return fmt.Errorf("unmet")
	}
	if err := m.Verify(key, check, nil); err != nil {
		panic(err)
	}
	fmt.Println("yes")
}
`;

async function go(dir: string, { base64, rootKeyHex, caveats }: Token): Promise<Verdict> {
  const library = { library: "go-macaroon", version: "v2.1.0" };
  const folder = join(dir, "go");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "main.go"), GO);
  writeFileSync(
    join(folder, "go.mod"),
    `module verdict\n\ngo 1.19\n\nrequire gopkg.in/macaroon.v2 ${library.version}\n`,
  );
  if ((await tool(["go", "version"], folder)) === null) return { ...library, verifies: "not here" };
  const verifies = await tool(["go", "run", ".", base64, rootKeyHex, ...caveats], folder);
  return { ...library, verifies: verifies ?? "refused" };
}
