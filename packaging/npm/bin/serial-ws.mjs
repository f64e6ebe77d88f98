#!/usr/bin/env node
// The command `serial-ws` of the npm package: runs the program of the package for this platform, with the
// same arguments, terminal, signals and exit code. The program itself does the rest.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const isWindows = process.platform === "win32";
const scope = "@serial-ws/";
const platform = `${process.platform}-${process.arch}`;

const program = find();
if (process.execve && !isWindows) {
  // From Node 22.15 on, the program takes the place of Node.
  process.execve(program, ["serial-ws", ...process.argv.slice(2)], process.env);
}
run(program);

/** Returns the path of the program, or ends with the reason why there is none. */
function find() {
  try {
    return createRequire(import.meta.url).resolve(`${scope}${platform}/serial-ws${isWindows ? ".exe" : ""}`);
  } catch {
    console.error(`serial-ws: ${explain()}`);
    process.exit(1);
  }
}

/** Says why there is no program, and what to do. */
function explain() {
  const { homepage, optionalDependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url)));
  const platforms = Object.keys(optionalDependencies).map((name) => name.slice(scope.length));
  const other = `To build it yourself, see ${homepage}#install`;
  if (!platforms.includes(platform)) {
    return `npm has no program for ${platform}, only for ${platforms.join(", ")}. ${other}`;
  }
  if (process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime) {
    return `the program needs glibc, which this Linux does not have (Alpine has musl). ${other}`;
  }
  return (
    `the package ${scope}${platform}, which has the program, is not installed. npm leaves it out with ` +
    "--omit=optional, and it is missing where node_modules comes from another kind of computer. " +
    "Delete node_modules and run: npm install --include=optional"
  );
}

/** Runs the program as a child, and ends as it ends. */
function run(program) {
  const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
  const pass = (signal) => {
    // Windows tells all programs of a console by itself, and ends a child at once that is signalled.
    if (!isWindows) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
  if (isWindows) signals.push("SIGBREAK");
  for (const signal of signals) process.on(signal, pass);
  child.on("error", (error) => {
    console.error(`serial-ws: cannot run ${program}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
