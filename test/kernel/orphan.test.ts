import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isAlive } from "../../src/lib/process-life.ts";
import { run } from "../../src/lib/run.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { stockKernel } from "./stock-kernel.ts";

test("a machine does not outlive the process that started it, however that ends", async () => {
  const kernel = await stockKernel("6.1");
  await using directory = await temporaryDirectory();
  const program = `
    import { Vm } from ${JSON.stringify(join(import.meta.dirname, "../../src/rehearse/vm.ts"))};
    const options = { image: ${JSON.stringify(kernel.image)}, files: [], log: ${JSON.stringify(join(directory.path, "log"))} };
    const vm = await Vm.start(options);
    console.log("up");
    await vm.run("sleep 1000", 1000);
  `;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: directory.path },
  });
  await once(child.stdout, "data");
  const { stdout } = await run("ps", ["-o", "pid=", "--ppid", String(child.pid)], { check: true });
  const machines = stdout.trim().split(/\s+/).map(Number);
  expect(machines).toHaveLength(1);
  child.kill("SIGKILL");
  await once(child, "exit");
  await expect.poll(() => machines.filter((pid) => isAlive(pid)), { timeout: 600_000 }).toEqual([]);
});
