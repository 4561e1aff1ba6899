/**
 * The sandbox: one loopback port that serves every peer the service talks to, and the control surface that steers them
 * (docs/architecture.md, "Sandbox and clock"). The peers speak their vendors' protocols, so the shipped adapters are what is tried here.
 */
import type { Server } from "bun";
import type { RealWorld } from "../../actors/runtime/world.ts";
import { brokenConnection, refuse } from "./answers.ts";
import { openBooks } from "./books.ts";
import { SandboxClock } from "./clock.ts";
import { type Controlled, control } from "./control.ts";
import { ConnectionReset, Faults } from "./faults.ts";
import { FirebasePeer } from "./firebase.ts";
import { Followers } from "./followers.ts";
import { LightningPeer, type NodeKind } from "./lightning/peer.ts";
import { AddressPeer, CALLBACK_PATH, PAY_REQUEST_PREFIX } from "./lnurl.ts";
import { isFromHere } from "./loopback.ts";
import { PricePeer } from "./prices.ts";
import { COMPAT_PATH, ProviderPeer } from "./provider/peer.ts";
import { V1_PREFIX } from "./provider/v1.ts";
import { RelayPeer } from "./relay.ts";
import { type SocketData, upgrade, websocket } from "./sockets.ts";

export interface SandboxOptions {
  readonly world: RealWorld;
  /** Where the peers keep their books. */
  readonly dataDir: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly hostname: "127.0.0.1";
  /** How long after a buy an SMS arrives by itself; null is never. */
  readonly smsAfterMs: number | null;
  /** Whether the provider bans accounts whose numbers bring no SMS. Default: no. */
  readonly bans?: boolean;
  /** What the merchant's node speaks; default lnd. */
  readonly node?: NodeKind;
  /** Where the provider posts its webhooks, beside the services that follow the clock. */
  readonly webhooks: () => readonly string[];
  /** Secret the Firebase peer asks for. Default: none. */
  readonly firebaseAuth?: string;
}

export interface Sandbox {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Cuts all connections, ends the peers' timers and closes the books. */
  stop(): Promise<void>;
  readonly provider: ProviderPeer;
  readonly lightning: LightningPeer;
  readonly clock: SandboxClock;
  readonly faults: Faults;
}

interface Peer {
  fetch(request: Request): Promise<Response>;
}

const MAX_BODY_BYTES = 2 * 1024 * 1024;

/** Starts peers and control surface on their books in `dataDir`; time goes on where it was. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { world } = options;
  const books = openBooks(options.dataDir);
  const faults = new Faults();
  const followers = new Followers(() => world.now() - world.offset, world.offset);
  const clock = new SandboxClock({ world, books, followers });
  const webhooks = () => [...new Set([...options.webhooks(), ...followers.webhookUrls()])];
  const provider = new ProviderPeer({
    world,
    books,
    faults,
    smsAfterMs: options.smsAfterMs,
    bans: options.bans ?? false,
    webhooks,
  });
  const lightning = new LightningPeer({ world, books, faults, kind: options.node ?? "lnd" });
  const prices = new PricePeer({ world, faults });
  const firebase = new FirebasePeer({ books, faults, auth: options.firebaseAuth ?? null });
  const address = new AddressPeer({ wallet: lightning.wallet, faults });
  const relay = new RelayPeer({ world, faults });
  const controlled: Controlled = { clock, followers, faults, provider, lightning };

  const peerFor = (path: string): Peer | null => {
    if (path === COMPAT_PATH || path.startsWith(V1_PREFIX)) return provider;
    if (lightning.serves(path)) return lightning;
    if (path.startsWith("/prices/")) return prices;
    if (path.startsWith(PAY_REQUEST_PREFIX) || path === CALLBACK_PATH) return address;
    return path.startsWith("/firebase/") ? firebase : null;
  };

  const handle = async (request: Request, server: Server<SocketData>): Promise<Response | undefined> => {
    if (!isFromHere(request, server.requestIP(request)?.address)) {
      return refuse(403, "FORBIDDEN", "The sandbox answers this machine only");
    }
    const { pathname: path } = new URL(request.url);
    if (path === "/sandbox" || path.startsWith("/sandbox/")) return control(controlled, request);
    if (path === "/relay") {
      return upgrade(server, request, relay.accept, () => relay.about());
    }
    const node = lightning.socket(request);
    if (node instanceof Response) return node;
    if (node)
      return upgrade(server, request, node, () => refuse(400, "NOT_A_WEBSOCKET", "Only a WebSocket lives here"));
    const peer = peerFor(path);
    if (!peer) return refuse(404, "NOT_FOUND", "No peer lives here; see GET /sandbox");
    // Counts as work that began; waiting for its end is the caller's part, as many of these calls are streams.
    world.hold("call to a peer")();
    return peer.fetch(request);
  };

  const server = Bun.serve<SocketData>({
    hostname: options.hostname,
    port: options.port,
    development: false,
    reusePort: false, // Bun's default outside development would let a second sandbox share the port silently.
    idleTimeout: 0, // Streams and held polls are silent for as long as nothing happens.
    maxRequestBodySize: MAX_BODY_BYTES,
    websocket,
    fetch: (request, server) => handle(request, server).catch((error) => failed(request, error)),
    error: (error) => failed(null, error),
  });
  const port = server.port ?? options.port;
  return {
    url: `http://${options.hostname}:${port}`,
    port,
    provider,
    lightning,
    clock,
    faults,
    stop: async () => {
      await server.stop(true);
      provider.stop();
      lightning.close();
      books.close();
    },
  };
}

function failed(request: Request | null, error: unknown): Response {
  if (error instanceof ConnectionReset || request?.signal.aborted) return brokenConnection();
  console.error("The sandbox failed:", error);
  return refuse(500, "INTERNAL", "The sandbox failed; its log says why");
}
