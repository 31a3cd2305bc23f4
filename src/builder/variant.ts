/**
 * `plain`: the code as shipped. `sections`: with a section for each function
 * and object. Neither has debug information, which changes no code.
 */
export type Variant = "plain" | "sections";
