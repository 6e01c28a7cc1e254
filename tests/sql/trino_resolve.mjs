// Lets Node load dt-sql-parser: an ES module written for bundlers, with imports that name no file extension.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export async function resolve(specifier, context, next) {
  if (!context.parentURL?.includes("/dt-sql-parser/") || !specifier.startsWith(".")) {
    const found = await next(specifier, context);
    return found.url.includes("/dt-sql-parser/") ? { ...found, format: "module" } : found;
  }
  const url = new URL(specifier, context.parentURL).href;
  const file = [url, `${url}.js`, `${url}/index.js`].find((each) => /\.js$/.test(each) && existsSync(fileURLToPath(each)));
  return { url: file, format: "module", shortCircuit: true };
}
