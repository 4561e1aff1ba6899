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
import type { LogDestination } from "./log-output.ts";
import { scrub, scrubText } from "./redact.ts";

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
  const { destination } = options;
  const base = pino(
    {
      level: options.level,
      name: options.name,
      // No process id and host name: they say nothing in a container.
      base: {},
      timestamp: () => `,"time":"${iso(options.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are plain data by the time pino sees them.
      serializers: { err: (value: unknown) => value },
    },
    options.pretty ? prettyTo(destination) : destination,
  );
  return wrap(base, () => destination.flush?.());
}

function prettyTo(destination: LogDestination): LogDestination {
  const pretty = prettyFactory({ translateTime: "SYS:HH:MM:ss.l", ignore: "name" });
  return { write: (line) => destination.write(pretty(line)) };
}

/** @param urgent called after a line that must not be lost with the process: a warning, or worse */
function wrap(logger: pino.Logger, urgent: () => void): Log {
  const method =
    (level: Exclude<LogLevel, "silent">): LogMethod =>
    (first: string | LogFields | Error, message?: string) => {
      if (!logger.isLevelEnabled(level)) return;
      write(level, first, message);
      if (level === "warn" || level === "error" || level === "fatal") urgent();
    };
  const write = (level: Exclude<LogLevel, "silent">, first: string | LogFields | Error, message?: string) => {
    if (typeof first === "string") return logger[level](scrubText(first));
    const fields = first instanceof Error ? { err: first } : first;
    const text = message ?? (first instanceof Error ? String(first.message) : undefined);
    // The message is never a format string: it is complete, and its "%" mean nothing.
    logger[level](scrub(fields), text === undefined ? undefined : scrubText(text));
  };
  return {
    trace: method("trace"),
    debug: method("debug"),
    info: method("info"),
    warn: method("warn"),
    error: method("error"),
    fatal: method("fatal"),
    child: (fields) => wrap(logger.child(scrub(fields) as LogFields), urgent),
  };
}
