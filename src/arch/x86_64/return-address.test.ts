import { expect, test } from "vitest";
import { callsBefore } from "./return-address.ts";

/** As binutils assembles them, each behind some NOPs. */
const INDIRECT: Readonly<Record<string, string>> = {
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

test.each(Object.entries(INDIRECT))("what lies behind %s is a return address", (_name, hex) => {
  const length = (hex.length - (hex.startsWith("41") ? 2 : 0)) / 2;
  for (const bytes of [`909090909090${hex}`, hex])
    expect(callsBefore(Buffer.from(bytes, "hex"), 0x1000)).toEqual({ target: undefined, indirect: length });
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
  const none = { target: undefined, indirect: undefined };
  expect(callsBefore(Buffer.from(hex === "" ? "" : `909090909090${hex}`, "hex"), 0x1000)).toEqual(none);
});

test("a direct call says where it leads", () => {
  const of = (hex: string) => callsBefore(Buffer.from(hex, "hex"), 0x1000);
  expect(of("90e8fbffffff")).toEqual({ target: 0xffb, indirect: undefined });
  expect(of("e811223344")).toEqual({ target: 0x44332211 + 0x1000, indirect: undefined });
  expect(of("d0")).toEqual({ target: undefined, indirect: undefined });
});

test("the end of other instructions that looks like a direct call leads anywhere", () => {
  // mov %ebx, %eax; pop %rbx; pop %rbp; ret
  expect(callsBefore(Buffer.from("4889e85a5b5dc3", "hex"), 0x4ed2d6)).toEqual({
    target: -0x3c53d1d0,
    indirect: undefined,
  });
});
