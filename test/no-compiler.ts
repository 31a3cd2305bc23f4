/** Unit tests run with no compiler: whoever starts one gets an error that says where such a test belongs. */
import { join } from "node:path";

process.env["PATH"] = `${join(import.meta.dirname, "no-compiler")}:${process.env["PATH"] ?? ""}`;
