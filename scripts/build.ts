/** Makes one self-contained executable, with data, docs page and migrations inside: dist/l402-numbers. */
import { join } from "node:path";

const root = join(import.meta.dir, "..");

/** @returns the path of the executable. */
export async function build(outfile = join(root, "dist", "l402-numbers")): Promise<string> {
  const target = process.argv.find((arg) => arg.startsWith("--target="))?.slice("--target=".length);
  const command = [
    process.execPath,
    "build",
    join(root, "src/main.ts"),
    "--compile",
    "--minify",
    "--sourcemap",
    "--bytecode",
    "--format=esm",
    `--outfile=${outfile}`,
    // Configuration is the environment and nothing that happens to lie in the working directory.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    ...(target ? [`--target=${target}`] : []),
  ];
  const child = Bun.spawn(command, { cwd: root, stdout: "inherit", stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error("The build failed");
  return outfile;
}

if (import.meta.main) console.log(await build());
