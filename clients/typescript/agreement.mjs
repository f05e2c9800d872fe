// Writes src/agreement.ts: for each schema of the document, the types of two generators must accept
// each other's values. `tsc` then names every schema on which the generators disagree.
import { readFileSync, writeFileSync } from "node:fs";

// A file is a string to one generator and a Blob to the other.
const names = Object.keys(JSON.parse(readFileSync("openapi.json")).components.schemas).filter(
  (name) => !name.endsWith("Form"),
);
const lines = names.map(
  (name) => `export const ${name}: Same<components["schemas"]["${name}"], second.${name}> = true;`,
);
writeFileSync(
  "src/agreement.ts",
  `import type { components } from "./schema.js";
import type * as second from "./second/index.js";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

${lines.join("\n")}
`,
);
