// Writes what is derived: schemas, the reference of the settings, README's tables, and the report's script and style. --check only compares.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import prettier from 'prettier';
import wabt from 'wabt';
import { parse } from 'yaml';

const checking = process.argv.includes('--check');
const stale = [];

const load = async (entry) => {
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
};
const emit = async (path, text) => {
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before === text) return;
  if (checking) stale.push(path);
  else await writeFile(path, text);
};

const { settingsSchema } = await load('src/settings/schema.ts');
const { reportSchema } = await load('src/report/schema.ts');
await mkdir('docs', { recursive: true });
await emit('docs/int8-gate.schema.json', `${JSON.stringify(settingsSchema, null, 2)}\n`);
await emit('docs/report.schema.json', `${JSON.stringify(reportSchema, null, 2)}\n`);
await emit('src/report/html/generated/assets.ts', await pageAssets());
for (const room of ['evaluation', 'calibration'])
  await emit(`src/${room}/generated/kernel.ts`, await kernel(`src/${room}/kernel.wat`));
await emit('docs/settings.md', settingsReference(settingsSchema));
await emit('README.md', await readmeWithTables());
await emit('docs/extending.md', await withExamples('docs/extending.md'));

if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run \`npm run generate\` and commit`);
  process.exitCode = 1;
}

/** Script and style of report.html as texts: the program has no files beside its bundle to read them from. */
async function pageAssets() {
  const minified = async (entry) => {
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      minify: true,
      format: 'iife',
      target: ['chrome123', 'firefox120', 'safari17.5'],
      charset: 'utf8',
      legalComments: 'none',
      write: false,
    });
    return JSON.stringify(outputFiles[0].text.trim());
  };
  const script = await minified('src/report/html/browser/main.ts');
  const style = await minified('src/report/html/style.css');
  return `/** Made by \`npm run generate\` from html/browser and html/style.css. */\nexport const SCRIPT = ${script};\nexport const STYLE = ${style};\n`;
}

/** Inner loops (of the bootstrap, of calibration) as bytes of WebAssembly. */
async function kernel(file) {
  const { parseWat } = await wabt();
  const text = await readFile(file, 'utf8');
  const { buffer } = parseWat('kernel.wat', text, { simd: true }).toBinary({});
  return `/** Made by \`npm run generate\` from kernel.wat. */\nexport const KERNEL =\n  '${Buffer.from(buffer).toString('base64')}';\n`;
}

function settingsReference(schema) {
  const rows = [];
  const walk = (node, path, required) => {
    for (const [key, one] of Object.entries(node.properties ?? {})) {
      const name = path === '' ? key : `${path}.${key}`;
      const needed = (node.required ?? []).includes(key);
      rows.push([
        `\`${name}\``,
        typeOf(one),
        needed && required ? '**required**' : defaultOf(one),
        (one.description ?? '').replaceAll('|', '\\|'),
      ]);
      walk(one, name, needed && required);
      for (const branch of one.anyOf ?? []) walk(branch, name, false);
    }
  };
  walk(schema, '', true);
  const table = [['key', 'type', 'default', 'meaning'], ['---', '---', '---', '---'], ...rows]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
  return `# Settings\n\n${schema.description}\nOne YAML file, \`int8-gate.yml\` by default; \`int8-gate init\` writes one. Editors complete and check it with this first line:\n\n\`\`\`yaml\n# yaml-language-server: $schema=docs/int8-gate.schema.json\n\`\`\`\n\n${table}\n`;
}

function typeOf(one) {
  if (one.const !== undefined) return `\`${JSON.stringify(one.const)}\``;
  if (one.enum) return one.enum.map((value) => `\`${value}\``).join(', ');
  if (one.anyOf && one.type === undefined) return one.anyOf.map(typeOf).join(' or ');
  if (one.type === 'array') return `list of ${one.items.type === 'string' ? 'texts' : 'numbers'}`;
  const bounds = [
    one.minimum !== undefined && `≥ ${one.minimum}`,
    one.exclusiveMinimum !== undefined && `> ${one.exclusiveMinimum}`,
    one.maximum !== undefined && `≤ ${one.maximum}`,
    one.exclusiveMaximum !== undefined && `< ${one.exclusiveMaximum}`,
  ].filter(Boolean);
  return [
    { integer: 'whole number', string: 'text', object: 'section' }[one.type] ?? one.type,
    ...bounds,
  ].join(' ');
}

function defaultOf(one) {
  return one.default === undefined || (typeof one.default === 'object' && !Array.isArray(one.default))
    ? ''
    : `\`${JSON.stringify(one.default)}\``;
}

async function readmeWithTables() {
  const { inputs, outputs } = parse(await readFile('action.yml', 'utf8'));
  const table = (head, entries, row) =>
    [head, head.map(() => '---'), ...Object.entries(entries).map(row)]
      .map((cells) => `| ${cells.join(' | ')} |`)
      .join('\n');
  const sections = {
    inputs: table(['input', 'default', 'meaning'], inputs, ([name, one]) => [
      `\`${name}\``,
      one.default === '' || one.default === undefined ? '' : `\`${one.default}\``,
      one.description,
    ]),
    outputs: table(['output', 'meaning'], outputs, ([name, one]) => [`\`${name}\``, one.description]),
  };
  let text = await readFile('README.md', 'utf8');
  for (const [name, body] of Object.entries(sections))
    text = text.replace(
      new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- /${name} -->)`),
      (_, open, close) => `${open}\n${body}\n\n${close}`,
    );
  return prettier.format(text, { parser: 'markdown', ...(await prettier.resolveConfig('README.md')) });
}

/** A document with the files of test/examples that it names in place. */
async function withExamples(path) {
  const text = await readFile(path, 'utf8');
  const pattern = /(<!-- example (\w+) -->\n)[^]*?(<!-- \/example -->)/g;
  const files = new Map();
  for (const [, , name] of text.matchAll(pattern))
    files.set(name, await readFile(`test/examples/${name}.ts`, 'utf8'));
  const filled = text.replace(
    pattern,
    (_, open, name, close) => `${open}\n\`\`\`ts\n${files.get(name)}\`\`\`\n\n${close}`,
  );
  return prettier.format(filled, { parser: 'markdown', ...(await prettier.resolveConfig(path)) });
}
