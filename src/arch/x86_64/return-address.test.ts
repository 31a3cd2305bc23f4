import { expect, test } from "vitest";
import { calledBefore, isBehindCall } from "./return-address.ts";

/** As binutils assembles them, each behind some NOPs. */
const CALLS: Readonly<Record<string, string>> = {
  "call rel32": "e811223344",
  "call *%rax": "ffd0",
  "call *%r12": "41ffd4",
  "call *(%rax)": "ff10",
  "call *8(%rbx)": "ff5308",
  "call *0x1234(%rbx)": "ff9334120000",
  "call *0x1234(%rip)": "ff1534120000",
  "call *(%rax,%rbx,8)": "ff14d8",
  "call *8(%rax,%rbx,8)": "ff54d808",
  "call *0x1234(%rax,%rbx,8)": "ff94d834120000",
  "call *0x1234(,%rbx,8)": "ff14dd34120000",
};

test.each(Object.entries(CALLS))("what lies behind %s is a return address", (_name, hex) => {
  expect(isBehindCall(Buffer.from(`909090909090${hex}`, "hex"))).toBe(true);
  expect(isBehindCall(Buffer.from(hex, "hex"))).toBe(true);
});

const OTHERS: Readonly<Record<string, string>> = {
  "jmp *%rax": "ffe0",
  "push (%rax)": "ff30",
  "inc %eax": "ffc0",
  "call *%rax and a NOP": "ffd090",
  "call rel32 and a NOP": "e81122334490",
  NOPs: "9090",
  nothing: "",
};

test.each(Object.entries(OTHERS))("what lies behind %s is none", (_name, hex) => {
  expect(isBehindCall(Buffer.from(hex === "" ? "" : `909090909090${hex}`, "hex"))).toBe(false);
});

test("a direct call says where it leads, others do not", () => {
  expect(calledBefore(Buffer.from("90e8fbffffff", "hex"), 0x1000)).toBe(0xffb);
  expect(calledBefore(Buffer.from("909090ffd0", "hex"), 0x1000)).toBeUndefined();
  expect(calledBefore(Buffer.from("d0", "hex"), 0x1000)).toBeUndefined();
});
