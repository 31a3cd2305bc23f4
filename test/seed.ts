/**
 * Random inputs of tests are the same in every run, so that what fails is what was
 * changed. SUTURE_SEED=NUMBER, or SUTURE_SEED=$RANDOM, looks elsewhere.
 */
import fc from "fast-check";

const SEED = 20260823;

fc.configureGlobal({ seed: Number(process.env["SUTURE_SEED"] ?? SEED) });
