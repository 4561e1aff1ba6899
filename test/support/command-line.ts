/**
 * The command line of a developer's script. The comment at its head is its manual: `--help` prints it, and a mistake ends with it and exit
 * code 2, because an option that is silently ignored, or taken for no number, makes a check that checks something else.
 */
import { readFileSync } from "node:fs";
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>["values"];

const HELP = { help: { type: "boolean", short: "h" } } as const;

/** @param script its path, `import.meta.path`. Ends the process for `--help` and for what is no option of it. */
export function commandLine<const T extends Options>(script: string, options: T) {
  /** Says what is wrong, and how the script is called; ends the process. */
  const refuse = (problem: string): never => {
    console.error(`${problem}\n\n${manualOf(script)}`);
    process.exit(2);
  };
  const values = read(options, refuse);
  if ("help" in values) {
    console.log(manualOf(script));
    process.exit(0);
  }
  /** The value of an option that is given, or has a default, as a whole number; ends the process when it is none. */
  const whole = (name: keyof Values<T> & string): number => {
    const text = String(values[name]);
    return /^\d{1,10}$/.test(text) ? Number(text) : refuse(`--${name} must be a whole number`);
  };
  return { values, whole, refuse };
}

function read<T extends Options>(options: T, refuse: (problem: string) => never): Values<T> {
  try {
    return parseArgs({ options: { ...options, ...HELP } }).values as Values<T>;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

function manualOf(script: string): string {
  const comment = /\/\*\*([\s\S]*?)\*\//.exec(readFileSync(script, "utf8"))?.[1] ?? "";
  return comment.replace(/^[ \t]*\* ?/gm, "").trim();
}
