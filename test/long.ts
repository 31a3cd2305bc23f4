/** What takes long and says little more runs with `make test-long` alone: before a release. */
export const isLong: boolean = process.env["SUTURE_LONG"] === "1";
