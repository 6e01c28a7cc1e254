// Checks SQL against the grammar named by the first argument, trino or hive: a JSON list of statements on stdin,
// a list of each one's syntax errors on stdout.
import { readFileSync } from "node:fs";
import { register } from "node:module";

register("./trino_resolve.mjs", import.meta.url);
const { HiveSQL, TrinoSQL } = await import("dt-sql-parser");

const parser = process.argv[2] === "hive" ? new HiveSQL() : new TrinoSQL();
const statements = JSON.parse(readFileSync(0, "utf8"));
const errors = statements.map((each) => parser.validate(each).map((e) => `${e.startLine}:${e.startColumn}: ${e.message}`));
process.stdout.write(JSON.stringify(errors));
