// Takes the operations that int8-gate uses from GitHub's published OpenAPI description, with what they refer to.
//   npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
//   node test/oracles/github-openapi.mjs package/generated/api.github.com.json
import { readFileSync, writeFileSync } from 'node:fs';

const api = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const OPERATIONS = {
  '/repos/{owner}/{repo}/issues/{issue_number}/comments': ['get', 'post'],
  '/repos/{owner}/{repo}/issues/comments/{comment_id}': ['patch', 'delete'],
  '/repos/{owner}/{repo}/check-runs': ['post'],
  '/repos/{owner}/{repo}/check-runs/{check_run_id}': ['get', 'patch'],
  '/repos/{owner}/{repo}/commits/{ref}/check-runs': ['get'],
  '/repos/{owner}/{repo}/pulls/{pull_number}': ['get'],
  '/repos/{owner}/{repo}/pulls': ['get'],
  '/repos/{owner}/{repo}/actions/caches': ['get'],
  '/repos/{owner}/{repo}/issues': ['get', 'post'],
  '/repos/{owner}/{repo}/issues/{issue_number}': ['patch'],
};

/** Ajv knows `nullable` only beside `type`; without one anything is allowed but null, which int8-gate never sends. */
const unusable = (key, value) => key === 'nullable' && value.type === undefined;

/** The value with every reference replaced by what it names, without examples and descriptions. */
function resolved(value) {
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.$ref === 'string')
    return resolved(
      value.$ref
        .slice(2)
        .split('/')
        .reduce((at, key) => at[key], api),
    );
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, one]) =>
          !unusable(key, value) &&
          !['examples', 'example', 'externalDocs'].includes(key) &&
          !(key === 'description' && typeof one === 'string'),
      )
      .map(([key, one]) => [key, resolved(one)]),
  );
}

const paths = Object.fromEntries(
  Object.entries(OPERATIONS).map(([path, methods]) => [
    path,
    Object.fromEntries(
      methods.map((method) => {
        const { parameters = [], requestBody } = api.paths[path][method];
        const body = requestBody?.content['application/json'].schema;
        return [method, { parameters: resolved(parameters), ...(body && { body: resolved(body) }) }];
      }),
    ),
  ]),
);
const text = JSON.stringify({ version: api.info.version, source: '@octokit/openapi 23.0.2', paths }, null, 1);
writeFileSync('test/action/golden/github-openapi.json', text + '\n');
