/** A function where it was found in what ships: its address, and bytes of code. */
export interface PlacedFunction {
  readonly at: number;
  readonly size: number;
}
