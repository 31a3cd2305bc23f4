/** How tasks get from one universe to the other. A new model is a word here, its branch in transition.ts, and a file beside stop.ts and lazy.ts. */

/** In the order in which they are told of. */
export const CONSISTENCY_MODELS = ["stop", "lazy", "hybrid"] as const;

/**
 * `stop`: all tasks switch in one stop, once none is in the way. `lazy`: each at
 * its own time, while the others run on. `hybrid`: one stop for all that can, then
 * `lazy` for the others.
 */
export type Consistency = (typeof CONSISTENCY_MODELS)[number];

/** Where none is asked for. */
export const USUAL_MODEL: Consistency = "hybrid";
