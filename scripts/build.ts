/**
 * Makes one self-contained executable, with data, docs page, migrations and libsecp256k1 inside: dist/l402-numbers.
 *
 *   bun scripts/build.ts [--target=bun-linux-arm64]     for another system, in the words of `bun build --compile`
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { BunPlugin } from "bun";

const root = join(import.meta.dir, "..");

/** The builds that the `secp256k1` package brings; an executable for any other system computes with @noble/curves. */
const PREBUILT: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64/secp256k1.glibc.node",
  "linux-x64-musl": "linux-x64/secp256k1.musl.node",
  "darwin-arm64": "darwin-arm64/secp256k1.node",
};

/**
 * The package looks for its addon at run time: under the folder it was built in, beside the executable, and, as any `require` does, in the
 * working directory. An executable must run nothing that happens to lie there, so it gets the addon itself.
 */
function withAddon(system: string): BunPlugin {
  const file = PREBUILT[system];
  return {
    name: "secp256k1 inside",
    setup(build) {
      build.onLoad({ filter: /secp256k1[\\/]bindings\.js$/ }, () => ({
        loader: "js",
        contents:
          file === undefined
            ? `throw new Error("There is no libsecp256k1 for ${system}");`
            : `module.exports = require("./lib")(new (require("./prebuilds/${file}").Secp256k1)());`,
      }));
    },
  };
}

const OTHER_NAMES: Readonly<Record<string, string>> = {
  macos: "darwin",
  mac: "darwin",
  apple: "darwin",
  amd64: "x64",
  x86_64: "x64",
  aarch64: "arm64",
};

/**
 * Bun takes the parts of "bun-linux-x64-musl-baseline" in any order. A system without a processor is x64; without a system, system and processor
 * are as here unless named. musl is taken only where it is named: a build on a system of musl has to name it.
 */
export function systemOf(target: string): string {
  const parts = target
    .toLowerCase()
    .split("-")
    .map((part) => OTHER_NAMES[part] ?? part);
  const system = parts.find((part) => /^(?:linux$|darwin$|win)/.test(part));
  const processor = parts.find((part) => part === "x64" || part === "arm64") ?? (system ? "x64" : process.arch);
  return [system ?? process.platform, processor, ...(parts.includes("musl") ? ["musl"] : [])].join("-");
}

/** @param target the system it is for; this one without it. @returns the path of the executable. */
export async function build(outfile = join(root, "dist", "l402-numbers"), target?: string): Promise<string> {
  await Bun.build({
    entrypoints: [join(root, "src/main.ts")],
    compile: {
      outfile,
      // Configuration is the environment and nothing that happens to lie in the working directory.
      autoloadDotenv: false,
      autoloadBunfig: false,
      ...(target && { target: target as Bun.Build.CompileTarget }),
    },
    plugins: [withAddon(systemOf(target ?? ""))],
    minify: true,
    sourcemap: "inline",
    bytecode: true,
    format: "esm",
  });
  return outfile;
}

/** By itself, because the image is built without the tests' own reader. Ends the process for `--help` and for a mistake. */
function targetOf(args: string[]): string | undefined {
  const usage = "Makes dist/l402-numbers.\n\n  bun scripts/build.ts [--target=bun-linux-arm64]";
  try {
    const { values } = parseArgs({
      args,
      options: { target: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (!values.help) return values.target;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

if (import.meta.main) {
  console.log(await build(undefined, targetOf(Bun.argv.slice(2))));
}
