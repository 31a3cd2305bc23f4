/** Equals package.json's, which a test holds it to: reading that file would cost every start. */
export const VERSION = "0.1.0";
/** How suture names itself in what it writes. */
export const TOOL = `suture ${VERSION}`;
