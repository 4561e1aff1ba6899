/**
 * The entry of the program and of the single-file build: reads the environment, starts the sandbox when nothing real is configured, starts
 * the service, and ends both in order.
 */
import { SQLiteError } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { RealWorld } from "../actors/runtime/world.ts";
import { checkLightning } from "./check-lightning.ts";
import { readCommandLine } from "./command-line.ts";
import { type Config, loadConfig } from "./config.ts";
import { UnusableFile } from "./database.ts";
import { existingRootKeys } from "./keyfile.ts";
import { nativeCurve } from "./lightning/curve.ts";
import { AlreadyRunning, lockDataDir } from "./lock.ts";
import { type LoadedNames, loadNames } from "./names.ts";
import { runBackup } from "./ops/backup.ts";
import { runDoctor } from "./ops/doctor.ts";
import { runHealthcheck } from "./ops/healthcheck.ts";
import { LOG_WAITS_MS, standardOutput } from "./ops/log-output.ts";
import { createLog, type Log } from "./ops/logs.ts";
import { runMacaroon } from "./ops/macaroon.ts";
import { removeUnfinished, runRestore } from "./ops/restore.ts";
import { addressesOf, createPeers } from "./peers.ts";
import { rebind } from "./rebind-provider.ts";
import { RevocationFile } from "./revocations.ts";
import { readClockOffset } from "./sandbox/clock.ts";
import { followClock } from "./sandbox/follow.ts";
import { type Sandbox, startSandbox } from "./sandbox/server.ts";
import { type Service, startService, urlHost } from "./service.ts";
import { call } from "./wire.ts";

/** A second signal, or this long after the first, ends the process at once. */
const STOP_LIMIT_MS = 30_000;
/** A sandbox apart is near. */
const CLOCK_TIMEOUT_MS = 5_000;

async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  const said = readCommandLine(args);
  if (said) {
    (said.code === 0 ? console.log : console.error)(said.text);
    return said.code;
  }
  const loaded = loadConfig(process.env, { needsProvider: command !== "check-lightning" });
  if (command === "healthcheck") {
    return runHealthcheck({ url: ownUrl(process.env.HOST, process.env.PORT) });
  }
  if (!loaded.ok) return mistakes(loaded.problems);
  const { config } = loaded;
  if (command === "check-config") {
    const { problems } = loadNames(config);
    return problems.length > 0 ? mistakes(problems) : print("The configuration is good");
  }
  if (command === undefined) return serve(config);
  try {
    return await perform(command, rest, config);
  } catch (error) {
    // A file that cannot be used is for the operator to mend: a stack would hide which.
    if (!isOfFiles(error)) throw error;
    console.error(error.message);
    return 2;
  }
}

async function perform(command: string, rest: readonly string[], config: Config): Promise<number> {
  if (command === "check-lightning") return checkLightning(rest, config, await clockOffset(config), sandboxFor);
  if (command === "doctor") return doctor(rest, config);
  if (command === "backup" || command === "restore") {
    const now = Date.now() + (await clockOffset(config));
    const run = command === "backup" ? runBackup : runRestore;
    return run(rest, { dataDir: config.dataDir, now, out: (line) => console.log(line) });
  }
  if (command === "macaroon") return macaroon(rest, config);
  return rebind(config);
}

const isOfFiles = (error: unknown): error is Error =>
  error instanceof UnusableFile || error instanceof SQLiteError || (error instanceof Error && "syscall" in error);

/** Where the server of this environment is reached from this machine, whatever else the environment gets wrong. */
function ownUrl(host = "", port = ""): string {
  // Read as the configuration reads it.
  return `http://${urlHost(host.trim())}:${port.trim() || "3000"}`;
}

function mistakes(problems: readonly string[]): number {
  console.error(["The configuration has mistakes:", ...problems.map((line) => `  - ${line}`)].join("\n"));
  return 2;
}

function print(text: string): number {
  console.log(text);
  return 0;
}

/** How far the sandbox's clock is ahead; 0 without one, or when it cannot be asked. */
async function clockOffset({ peers, dataDir }: Config): Promise<number> {
  if (peers.kind === "real") return 0;
  if (peers.url === null) return readClockOffset(dataDir);
  try {
    const url = new URL("/sandbox/clock", peers.url).href;
    const { text } = await call(new RealWorld(), { url, timeoutMs: CLOCK_TIMEOUT_MS });
    const { offsetMs } = JSON.parse(text) as { readonly offsetMs?: unknown };
    return typeof offsetMs === "number" && Number.isFinite(offsetMs) ? offsetMs : 0;
  } catch {
    return 0;
  }
}

async function doctor(args: readonly string[], config: Config): Promise<number> {
  const world = new RealWorld(await clockOffset(config));
  return runDoctor(args, {
    dataDir: config.dataDir,
    now: world.now(),
    world,
    rules: config.banRules,
    peers: async () => {
      const sandbox = await sandboxFor(config, world);
      const { node, provider } = createPeers(world, config, addressesOf(config.peers, sandbox.url));
      return { world, node, provider, close: sandbox.stop };
    },
    out: (line) => console.log(line),
  });
}

/** The sandbox of the running server, or one on the same books when none runs. @throws Error when it cannot be found */
async function sandboxFor({ peers, dataDir }: Config, world: RealWorld): Promise<Pick<Sandbox, "url" | "stop">> {
  const nothing = async () => {};
  if (peers.kind === "real") return { url: "", stop: nothing };
  if (peers.url !== null) return { url: peers.url, stop: nothing };
  try {
    lockDataDir(dataDir)();
  } catch (error) {
    if (!(error instanceof AlreadyRunning)) throw error;
    if (peers.port === 0) throw new Error("The sandbox of the running server is on an unknown port: set SANDBOX_PORT");
    return { url: `http://127.0.0.1:${peers.port}`, stop: nothing };
  }
  const { smsAfterMs, bans, node } = peers;
  return startSandbox({ world, dataDir, port: 0, hostname: "127.0.0.1", smsAfterMs, bans, node, webhooks: () => [] });
}

function macaroon(args: readonly string[], config: Config): Promise<number> {
  const world = new RealWorld(config.peers.kind === "sandbox" ? readClockOffset(config.dataDir) : 0);
  return runMacaroon(args, {
    world,
    dataDir: config.dataDir,
    keys: () => existingRootKeys(config.dataDir, config.rootKey),
    revocations: () => new RevocationFile(config.dataDir, world),
    input: () => Bun.stdin.text(),
    out: (line) => console.log(line),
  });
}

/** One server per data directory: the lock comes before everything that writes there, the sandbox's books included. */
async function serve(config: Config): Promise<number> {
  const names = loadNames(config);
  if (names.problems.length > 0) return mistakes(names.problems);
  try {
    makeDataDir(config.dataDir);
    const unlock = lockDataDir(config.dataDir);
    removeUnfinished(config.dataDir);
    const exitCode = await run(config, names);
    unlock();
    return exitCode;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

/** @throws Error that names the setting. */
function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(`Cannot make DATA_DIR "${dataDir}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function run(config: Config, { names, ignored }: LoadedNames): Promise<number> {
  const { peers } = config;
  const embedded = peers.kind === "sandbox" && peers.url === null;
  const world = new RealWorld(embedded ? readClockOffset(config.dataDir) : 0);
  const pretty = config.logFormat === "pretty" || (config.logFormat === "auto" && process.stdout.isTTY === true);
  const log = createLog({
    level: config.logLevel,
    pretty,
    name: "l402-numbers",
    now: () => world.now(),
    destination: standardOutput((run) => setTimeout(run, LOG_WAITS_MS)),
  });
  world.clockSet = (byMs) => log.warn({ byMs }, "the clock was set, or this machine slept");
  for (const problem of ignored) log.error({ problem }, "refreshed list ignored");
  if (nativeCurve === null) log.warn("libsecp256k1 could not be loaded: an invoice takes ten times as long to check");
  // Before anything starts: a stop may be asked for at any moment, also while a first boot waits for its node.
  const stopping = stopSignal(log);
  const sandboxed = peers.kind === "sandbox";
  const webhookSecret = config.webhookSecret ?? (sandboxed ? world.random(16).toHex() : null);
  let service: Service | null = null;
  let sandbox: Sandbox | null = null;
  const webhookUrl = (port: number) => `http://127.0.0.1:${port}/v2/l402/webhooks/rent/${webhookSecret}`;
  try {
    if (peers.kind === "sandbox" && peers.url === null) {
      sandbox = await startSandbox({
        world,
        dataDir: config.dataDir,
        port: peers.port,
        hostname: "127.0.0.1",
        smsAfterMs: peers.smsAfterMs,
        bans: peers.bans,
        node: peers.node,
        webhooks: () => (service ? [webhookUrl(service.port)] : []),
      });
    } else if (peers.kind === "sandbox" && peers.url !== null) {
      await followClock(world, peers.url, { webhookUrl: webhookUrl(config.port), signal: stopping });
    }
    const url = sandbox?.url ?? (peers.kind === "sandbox" ? peers.url : null);
    const addresses = addressesOf(peers, url ?? "");
    service = await startService({
      config,
      world,
      log,
      names,
      peers: createPeers(world, config, addresses),
      webhookSecret,
      sandboxUrl: url,
      stopping,
    });
    if (!stopping.aborted) announce(service, url);
    await aborted(stopping);
    await service.stop();
  } catch (error) {
    // Asked to stop while it started: nothing is wrong, and nothing was begun.
    if (!stopping.aborted || error !== stopping.reason) {
      console.error(error instanceof Error ? error.message : String(error));
      log.debug(error instanceof Error ? error : { err: error });
      await sandbox?.stop();
      return 1;
    }
  }
  await sandbox?.stop();
  log.info("stopped");
  return 0;
}

/** What a person at the terminal needs; also read by scripts that start a server on a free port. */
function announce(service: Service, sandboxUrl: string | null): void {
  console.log(`API      ${service.url}/v2/l402`);
  console.log(`Docs     ${service.url}/docs`);
  if (sandboxUrl !== null) console.log(`Sandbox  ${sandboxUrl}/sandbox  (no real money, no real numbers)`);
}

/** Aborts at the first SIGTERM or SIGINT; a second one, or a stop that takes too long, ends the process at once. */
function stopSignal(log: Log): AbortSignal {
  const stopping = new AbortController();
  const stop = (signal: string) => {
    if (stopping.signal.aborted) process.exit(1);
    log.info({ signal }, "stopping");
    setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
    stopping.abort();
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));
  return stopping.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

// Books and keys are nobody else's to read, also in a directory that others may enter.
process.umask(0o077);
process.exit(await main(process.argv.slice(2)));
