// Runs the SQL on stdin with DuckDB, and prints each row as a JSON object.
// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.env.DTREC_READERS + "/"));
const { DuckDBInstance } = require("@duckdb/node-api");
const connection = await (await DuckDBInstance.create(":memory:")).connect();
const reader = await connection.runAndReadAll(readFileSync(0, "utf8"));
for (const row of reader.getRowObjectsJson()) console.log(JSON.stringify(row));
