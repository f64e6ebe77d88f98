// Starts the programs of the tests in Node, so that they end with the tests, even where those are killed: a program
// that lived on would wait for its port, and take it from a later run.
import { spawn as spawnAlone, spawnSync } from "node:child_process";

/** What makes a program end with the one that starts it; nothing, where the system cannot do so. */
const TOGETHER = ["setpriv", "--pdeathsig", "KILL"];
const prefix = spawnSync(TOGETHER[0], [...TOGETHER.slice(1), "true"]).status === 0 ? TOGETHER : [];

// Each file of tests is a process of its own, whose stdin ends with the `node --test` that started it.
if (process.env.NODE_TEST_CONTEXT) process.stdin.on("end", () => process.exit(1)).resume().unref();

/** Like `spawn` of Node, for a program that ends with this process, however that ends. */
export function spawn(command, args, options) {
  const [program, ...rest] = [...prefix, command, ...args];
  return spawnAlone(program, rest, options);
}
