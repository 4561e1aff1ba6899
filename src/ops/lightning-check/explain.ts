/** What went wrong with a node, and what to do about it, in words for whoever set it up. */
import type { NodeKind } from "../../node.ts";
import { AnswerLost } from "../../wire.ts";
import type { Said } from "./overheard.ts";

export interface Trouble {
  readonly why: string;
  readonly fix: string;
}

/** The node that is asked. */
export interface Place {
  readonly kind: NodeKind;
  /** Host and port, or the hosts of relays. Never a secret. */
  readonly where: string;
  /** Whether LIGHTNING_TLS_CERT_FILE is set. */
  readonly hasCertificate: boolean;
}

const INTERFACE: Readonly<Record<NodeKind, string>> = {
  lnd: "Is LND running, and is this its REST port (restlisten, usually 8080, not the gRPC port 10009)?",
  cln: "Is Core Lightning running with clnrest, and is this its port (clnrest-port, clnrest-host)?",
  phoenixd: "Is phoenixd running, and is this its port (http-bind-ip, http-bind-port, usually 9740)?",
  nwc: "Is the relay of the connection still there? Make a new connection in the wallet, which names the relays it uses now",
};
const CONTAINER = "In a container, 127.0.0.1 is the container itself: use the name or address of the node's machine";

const CERTIFICATE: Partial<Record<NodeKind, string>> = {
  lnd: "LND's tls.cert",
  cln: "the ca.pem beside Core Lightning's lightning-rpc",
};

const SECRET: Readonly<Record<NodeKind, string>> = {
  lnd: "LIGHTNING_MACAROON must be of this very node: bake one there (docs/operating.md, LND), and give its hex or its file (LIGHTNING_MACAROON_FILE)",
  cln: "LIGHTNING_RUNE must be of this very node, and not be blacklisted: make one there with createrune (docs/operating.md, Core Lightning)",
  phoenixd: 'LIGHTNING_PASSWORD must be "http-password" of ~/.phoenix/phoenix.conf on the node\'s machine',
  nwc: "Its owner removed the connection, or it expired or is used up: make a new one in the wallet, for LIGHTNING_URL",
};

const RIGHTS: Readonly<Record<NodeKind, string>> = {
  lnd: "Bake one with: invoices:read invoices:write offchain:read offchain:write info:read",
  cln: "Make one that allows: getinfo listpeerchannels invoice listinvoices delinvoice wait waitanyinvoice xpay listpays decode",
  phoenixd: 'Use "http-password", not "http-password-limited-access"',
  nwc: "Make a connection that allows: get_info get_balance make_invoice lookup_invoice list_transactions pay_invoice",
};

const WORD: Readonly<Record<NodeKind, string>> = {
  lnd: "macaroon",
  cln: "rune",
  phoenixd: "password",
  nwc: "connection",
};

/** @param error what the adapter threw. @param said what the node itself said, if it did. */
export function explain(error: unknown, place: Place, said: Said | null): Trouble {
  return ofTransport(error, place) ?? ofRefusal(error, place, said) ?? ofWords(error, place, said);
}

/** No answer came. */
function ofTransport(error: unknown, { kind, where, hasCertificate }: Place): Trouble | null {
  const { code, lost } = causes(error);
  const certificate = CERTIFICATE[kind] ?? "its certificate";
  switch (code) {
    case "ECONNREFUSED":
      return { why: `Nothing listens at ${where}`, fix: `${INTERFACE[kind]} ${CONTAINER}` };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        why: `The name in ${where} has no address`,
        fix: "Look for a typing error in LIGHTNING_URL, and at the DNS of this machine",
      };
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return {
        why: `The certificate at ${where} is made for another name`,
        fix:
          kind === "cln"
            ? 'Use a name in LIGHTNING_URL that it knows: "localhost", "cln" or what clnrest-host says'
            : `Use a name in LIGHTNING_URL that it knows, or let the node make a new one for this name (LND: tlsextradomain or tlsextraip, then remove tls.cert and tls.key and restart)`,
      };
    case "CERT_HAS_EXPIRED":
      return {
        why: "The node's certificate is too old",
        fix: `Let the node make a new one, and copy ${certificate} again`,
      };
    case "EPROTO":
      return {
        why: `What listens at ${where} does not speak TLS`,
        fix: "Write http:// instead of https:// in LIGHTNING_URL, or use the port that does",
      };
    case "ECONNRESET":
      return {
        why: `${where} ends the connection at once`,
        fix: "Perhaps it speaks TLS: write https:// instead of http:// in LIGHTNING_URL. Perhaps it is another program's port",
      };
  }
  if (code !== null && /CERT|ISSUER|LEAF_SIGNATURE/.test(code)) {
    return hasCertificate
      ? {
          why: "The node's certificate is not the one in LIGHTNING_TLS_CERT_FILE",
          fix: `Copy ${certificate} again; nodes make a new one when the old one expires. If it is right, something else answers at ${where}`,
        }
      : {
          why: "The node signs its own certificate, which nobody here knows",
          fix: `Set LIGHTNING_TLS_CERT_FILE to a copy of ${certificate}`,
        };
  }
  if (lost === "timeout") {
    return kind === "nwc"
      ? {
          why: `The wallet does not answer over ${where}`,
          fix: "Is the wallet's server running? A wallet on a phone answers only while it is open. If it runs, the connection may be removed: make a new one",
        }
      : {
          why: `${where} does not answer in time`,
          fix: "A firewall may swallow what is sent there, or the node is locked, starting or overloaded. Try the same address with curl from this machine",
        };
  }
  return lost === "network" && code !== null
    ? { why: `The connection to ${where} broke (${code})`, fix: INTERFACE[kind] }
    : null;
}

/** It answered, and did not want. */
function ofRefusal(error: unknown, { kind, where }: Place, said: Said | null): Trouble | null {
  const message = error instanceof Error ? error.message : "";
  const status = said?.status ?? 0;
  const words = said?.words.toLowerCase() ?? "";
  const quoted = said?.words ? ` ("${said.words}")` : "";
  const isMissing =
    /permission denied|not equal to any allowed|restricted/i.test(words) || /: RESTRICTED$/.test(message);
  if (isMissing) return { why: `The ${WORD[kind]} does not allow this${quoted}`, fix: RIGHTS[kind] };
  const isRefused =
    status === 401 ||
    status === 403 ||
    /macaroon|signature mismatch|not authorized|rune/.test(words) ||
    /: UNAUTHORIZED$/.test(message);
  if (isRefused) return { why: `The node does not accept the ${WORD[kind]}${quoted}`, fix: SECRET[kind] };
  if (/wallet (?:locked|not created)|starting up|not yet ready/.test(words)) {
    return {
      why: `The node is locked or still starting${quoted}`,
      fix: "Unlock it (LND: lncli unlock), or wait until it is up",
    };
  }
  if (/https server/.test(words)) {
    return { why: `${where} speaks TLS only`, fix: "Write https:// instead of http:// in LIGHTNING_URL" };
  }
  if (status === 404 || status === 405 || words === "a page of html") {
    return { why: `What answers at ${where} is not ${INTERFACE_NAME[kind]}${quoted}`, fix: INTERFACE[kind] };
  }
  if (status >= 500) {
    return {
      why: `The node or a proxy before it fails with HTTP ${status}${quoted}`,
      fix: "Look at the node's own log",
    };
  }
  return null;
}

const INTERFACE_NAME: Readonly<Record<NodeKind, string>> = {
  lnd: "LND's REST interface",
  cln: "clnrest",
  phoenixd: "phoenixd",
  nwc: "a wallet",
};

function ofWords(error: unknown, { kind, where }: Place, said: Said | null): Trouble {
  const message = error instanceof Error ? error.message.replace(/^Lightning node unavailable: /, "") : "unknown";
  if (/no relay can be reached/.test(message)) {
    return { why: `No relay of the connection can be reached: ${where}`, fix: INTERFACE.nwc };
  }
  if (/know nothing of the wallet/.test(message)) {
    return {
      why: `The relay answers, but knows no wallet of this connection: ${where}`,
      fix: "Is the wallet's server running and connected to this relay? If it is, copy the whole connection again",
    };
  }
  if (/does not offer/.test(message)) return { why: capital(message), fix: RIGHTS[kind] };
  if (/unsupported network/.test(message)) {
    return { why: "The node is on a network that is not known here", fix: "Use mainnet, testnet, signet or regtest" };
  }
  const quoted = said?.words ? ` ("${said.words}")` : "";
  return { why: `${capital(message)}${quoted}`, fix: `${INTERFACE[kind]} Look at the node's own log` };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The system's code for it, and how an answer was lost; from the whole chain of causes. */
function causes(error: unknown): { readonly code: string | null; readonly lost: AnswerLost["why"] | null } {
  let [code, lost]: [string | null, AnswerLost["why"] | null] = [null, null];
  for (let at = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth++) {
    if (at instanceof AnswerLost) lost ??= at.why;
    const found: unknown = "code" in at ? at.code : null;
    if (typeof found === "string" && /^[A-Z][A-Z0-9_]{2,60}$/.test(found)) code ??= found;
  }
  return { code, lost };
}
