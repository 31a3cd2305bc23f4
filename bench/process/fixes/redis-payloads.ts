/**
 * Values in the form of DUMP, with good checksums, from the tests that came with
 * the fixes (tests/integration/corrupt-dump.tcl and tests/unit/hyperloglog.tcl of redis).
 */

/** A stream of one entry that waits for two consumers at once. */
export const SHARED_NACK = Buffer.from(
  "0f01100000000000000001000000000000000025250000000a00010100010101856669656c6406000102010001000185" +
    "76616c7565060401ff01010001076d7967726f7570010001000000000000000100000000000000004a79898f9f010000" +
    "010209636f6e73756d6572414a79898f9f010000010000000000000001000000000000000009636f6e73756d65724254" +
    "79898f9f01000001000000000000000100000000000000000900f6ea7b6cb8b8d8b4",
  "hex",
);

/** A hash in the old zipmap form, the length of its field written in five bytes where one would do. */
export const WIDE_ZIPMAP = Buffer.from("091101fe040000000100ff00040076616c31ff0900f9d5a4f77d003f1b", "hex");

/** Empty runs of 16384 registers each, more than 2^32 registers in all, and one that holds a value. */
export const TOO_LONG_HYPERLOGLOG = Buffer.concat([
  Buffer.from("HYLL"),
  Buffer.from([1, ...new Uint8Array(11)]),
  Buffer.alloc(2 * (131_072 + 1000), Buffer.of(0x7f, 0xff)),
  Buffer.of(0xff),
]);
