// The questions of readers.sh for DuckDB: node duckdb.mjs QUESTION FILES OUT [USER NAMESPACE]
import { DuckDBInstance } from '@duckdb/node-api';

const [question, files, out, user, namespace] = process.argv.slice(2);
const text = (s) => `'${s.replaceAll("'", "''")}'`;
const events = `read_ndjson_objects(${text(files)}, maximum_object_size=67108864)`;
const fields = `read_json(${text(files)}, format='newline_delimited', maximum_object_size=67108864, columns={verb:'VARCHAR', stage:'VARCHAR',
  user:'STRUCT(username VARCHAR)', responseStatus:'STRUCT(code INT)', stageTimestamp:'VARCHAR'})`;
const print = (select) => `COPY (${select}) TO ${text(out)} (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01')`;
const queries = {
  deletes: print(`SELECT json FROM ${events} WHERE (json->>'$.verb') = 'delete'`),
  user: print(`SELECT json FROM ${events} WHERE (json->>'$.user.username') = ${text(user ?? '')} AND (json->>'$.objectRef.namespace') = ${text(namespace ?? '')}`),
  top: print(`SELECT count(*) || ' ' || u FROM (SELECT json->>'$.user.username' u, strlen(json) b FROM ${events}) GROUP BY u ORDER BY count(*) DESC, u LIMIT 20`),
  failures: print(`SELECT stageTimestamp[1:13] || ' ' || count(*) FROM ${fields} WHERE responseStatus.code >= 400
    AND verb IN ('create', 'update', 'patch', 'delete', 'deletecollection') GROUP BY stageTimestamp[1:13] ORDER BY 1`),
};
const connection = await (await DuckDBInstance.create(':memory:')).connect();
await connection.run('SET enable_progress_bar=false');
await connection.run(queries[question]);
