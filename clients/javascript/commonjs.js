/** Writes the modules and their types as CommonJS into cjs/. `npm pack` runs it. */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);
const cjs = new URL("cjs/", here);

/** The same module as CommonJS. @param {string} code @param {string} name */
function commonJsOf(code, name) {
  /** @type {string[]} */
  const exported = [];
  const body = code
    .replace(/^import \{([^}]+)\} from ("[^"]+");$/gm, "const {$1} = require($2);")
    .replace(/^export ((?:async )?(?:class|const|function) (\w+))/gm, (_, declaration, name) => {
      exported.push(name);
      return declaration;
    });
  if (/^(import|export)\b|\bimport\.meta\b/m.test(body) || exported.length === 0) {
    throw new Error(`${name} has an import or export in a form that commonjs.js does not know`);
  }
  return `"use strict";\n\n${body}\nmodule.exports = { ${exported.join(", ")} };\n`;
}

rmSync(cjs, { recursive: true, force: true });
mkdirSync(cjs);
writeFileSync(new URL("package.json", cjs), '{ "type": "commonjs" }\n');
for (const types of readdirSync(here).filter((name) => name.endsWith(".d.ts"))) {
  const name = types.replace(/d\.ts$/, "js");
  copyFileSync(new URL(types, here), new URL(types, cjs));
  writeFileSync(new URL(name, cjs), commonJsOf(readFileSync(new URL(name, here), "utf8"), name));
}
