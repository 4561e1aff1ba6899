/**
 * The log: one JSON object a line (pino), or readable lines on a terminal (pino-pretty). Everything that is logged goes
 * through the scrubber first; there is no way around it, because pino itself is not handed out. (Its own hooks would
 * miss the bindings of child loggers, whose formatter pino resets.)
 *
 * All in-process: pino's worker transports load files by path, which a single-file build does not have, and lose the last lines of a crash.
 */
import pino from "pino";
import { prettyFactory } from "pino-pretty";
import { iso, type Millis } from "../../actors/runtime/world.ts";
import { remembering } from "../remembering.ts";
import type { LogDestination } from "./log-output.ts";
import { isSecretName, isShortWord, MASK, scrub, scrubText } from "./redact.ts";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Logs a message, with fields or an error before it: `log.warn({ orderId }, "Refund failed")`, `log.error(error, "...")`.
 * An error in a field keeps its type, message, stack and causes; `err` is the customary name. Fields called `code` are
 * masked (an SMS code): an error's or an answer's code belongs in `errorCode`.
 */
export interface LogMethod {
  (message: string): void;
  (fields: LogFields | Error, message?: string): void;
}

export interface Log {
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A log whose every line also has these fields. */
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Readable lines instead of JSON. */
  readonly pretty: boolean;
  /** The service's name, in every line. */
  readonly name: string;
  /** The clock of the lines. */
  readonly now: () => Millis;
  readonly destination: LogDestination;
}

export function createLog(options: LogOptions): Log {
  const { level, name, now, pretty } = options;
  const urgent = () => options.destination.flush?.();
  const destination = pretty ? prettyTo(options.destination) : options.destination;
  const time = timeOf(now);
  const logger = pino(
    {
      level,
      name,
      // No process id and host name: they say nothing in a container.
      base: {},
      timestamp: time,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are plain data by the time pino sees them.
      serializers: { err: (value: unknown) => value },
    },
    destination,
  );
  return wrap(logger, { destination, time, urgent, bindings: `,"name":${JSON.stringify(name)}` });
}

/** The clock's member of a line. Under load many lines share a millisecond. */
function timeOf(now: () => Millis): () => string {
  let at = Number.NaN;
  let text = "";
  return () => {
    const ms = now();
    if (ms === at) return text;
    at = ms;
    text = `,"time":"${iso(ms)}"`;
    return text;
  };
}

function prettyTo(destination: LogDestination): LogDestination {
  const pretty = prettyFactory({ translateTime: "SYS:HH:MM:ss.l", ignore: "name" });
  return { write: (line) => destination.write(pretty(line)) };
}

interface Output {
  readonly destination: LogDestination;
  /** The clock's member of a line. */
  time(): string;
  /** Called after a line that must not be lost with the process: a warning, or worse. */
  urgent(): void;
  /** The members that every line of this log has, each with its comma before it. */
  readonly bindings: string;
}

function wrap(logger: pino.Logger, output: Output): Log {
  const { destination, time, urgent, bindings } = output;
  const write = (level: Exclude<LogLevel, "silent">, first: string | LogFields | Error, message?: string) => {
    if (typeof first === "string") return logger[level](scrubText(first));
    const members = first instanceof Error || message === undefined ? null : flat(first);
    if (message !== undefined && members !== null) {
      const rest = `${time()}${bindings}${members},"msg":${quoted(message)}`;
      return destination.write(`{"level":"${level}"${rest}}\n`);
    }
    const fields = first instanceof Error ? { err: first } : first;
    const text = message ?? (first instanceof Error ? String(first.message) : undefined);
    // The message is never a format string: it is complete, and its "%" mean nothing.
    logger[level](scrub(fields), text === undefined ? undefined : scrubText(text));
  };
  const method =
    (level: Exclude<LogLevel, "silent">): LogMethod =>
    (first: string | LogFields | Error, message?: string) => {
      if (!logger.isLevelEnabled(level)) return;
      write(level, first, message);
      if (level === "warn" || level === "error" || level === "fatal") urgent();
    };
  return {
    trace: method("trace"),
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    fatal: method("fatal"),
    child(fields) {
      const clean = scrub(fields) as LogFields;
      const more = JSON.stringify(clean).slice(1, -1);
      return wrap(logger.child(clean), { ...output, bindings: more === "" ? bindings : `${bindings},${more}` });
    },
  };
}

/** More members, or longer ones, are no longer a simple record. */
const MOST_MEMBERS = 16;
const MOST_TEXT = 256;

/**
 * The members of a simple record, one of words and numbers, scrubbed and as pino would write them; null for any other. Such a line
 * comes with every request, and three walks over it (scrubber, pino, JSON) cost five times as much.
 */
function flat(fields: LogFields): string | null {
  if (Object.getPrototypeOf(fields) !== Object.prototype) return null;
  let text = "";
  let members = 0;
  try {
    for (const name in fields) {
      const value = fields[name];
      const shown = typeof value === "number" ? finite(value) : typeof value === "string" ? short(value) : null;
      const member = nameOf(name);
      if (shown === null || member === null || ++members > MOST_MEMBERS) return null;
      text += member.secret ? `${member.text}${MASKED}` : `${member.text}${shown}`;
    }
  } catch {
    // A getter that throws must not take the line with it: the scrubber knows what to do.
    return null;
  }
  return text;
}

interface MemberName {
  /** As it is written, with the comma before it. */
  readonly text: string;
  readonly secret: boolean;
}

/** How a member is named; null for what is no plain word. */
const nameOf = remembering(
  (name): MemberName | null => (/^\w{1,48}$/.test(name) ? { text: `,"${name}":`, secret: isSecretName(name) } : null),
  { most: 1_000, longest: 48 },
);

const finite = (value: number): string | null => (Number.isFinite(value) ? String(value) : null);

const short = (value: string): string | null => {
  if (isShortWord(value)) return `"${value}"`;
  return value.length <= MOST_TEXT ? quoted(value) : null;
};

const MASKED = JSON.stringify(MASK);

const quoted = (text: string): string => JSON.stringify(scrubText(text));
