import { expect, test } from "vitest";
import { fromAssembly, fromC, readelf, SAMPLE_C, SAMPLE_GROUPS } from "./compiled.fixture.ts";
import { groupsOf } from "./groups.ts";
import { readElf } from "./read.ts";

test("the groups are those that readelf prints", () => {
  const data = fromAssembly(SAMPLE_GROUPS);
  const file = readElf(data, "input");
  const groups = groupsOf(file).map(({ section, signature, comdat, members }) => ({
    heading: `${comdat ? "COMDAT " : ""}group section [${String(section).padStart(5)}] \`.group' [${file.symbols[signature]?.name}] contains ${members.length} sections:`,
    members: members.map((index) => file.sections[index]?.name),
  }));
  const text = readelf(data, "-gW");
  expect(groups.length).toBeGreaterThan(3);
  expect(groups.map((group) => group.heading)).toEqual(text.match(/^.*group section.*$/gm));
  const names = [...text.matchAll(/^ {3}\[ *\d+\] {3}(.*)$/gm)].map((match) => match[1]);
  expect(groups.flatMap((group) => group.members)).toEqual(names);
});

test("C has none", () => {
  expect(groupsOf(readElf(fromC(SAMPLE_C), "input"))).toEqual([]);
});

test("a member, a signature or a length that cannot be is ELF_CORRUPT, with the section", () => {
  const data = fromAssembly(SAMPLE_GROUPS);
  const file = readElf(data, "input");
  const [group] = groupsOf(file);
  const section = file.sections[group?.section ?? 0];
  if (section === undefined) throw new Error("no groups");
  const refused = expect.objectContaining({ code: "ELF_CORRUPT", where: expect.stringContaining("(.group)") });
  for (const member of [0, file.sections.length, section.index]) {
    const before = section.data.readUInt32LE(4);
    section.data.writeUInt32LE(member, 4);
    expect(() => groupsOf(file)).toThrow(refused);
    section.data.writeUInt32LE(before, 4);
  }
  const with_ = (changed: object): typeof file => ({
    ...file,
    sections: file.sections.map((each) => (each === section ? { ...each, ...changed } : each)),
  });
  for (const changed of [{ info: 0 }, { info: file.symbols.length }, { link: 0 }, { data: section.data.subarray(1) }]) {
    expect(() => groupsOf(with_(changed))).toThrow(refused);
  }
});
