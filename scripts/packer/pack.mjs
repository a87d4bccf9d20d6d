// Packs browser scripts: `node pack.mjs NODE_MODULES FILE...` prints the packed texts as a JSON list.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename } from "node:path";
import { withoutMarkup } from "./without_markup.mjs";

const [modules, ...files] = process.argv.slice(2);
const { minify } = createRequire(`${modules}/`)("terser");

// Browsers of 2020 and later run it.
const ECMA = 2020;
// With `conditionals`, Terser turns `if (a) b()` into `a&&b()`, which `withoutMarkup` has to write as `a?b():0`.
const COMPRESS = { ecma: ECMA, conditionals: false, passes: 2 };
const PRINT = { compress: { defaults: false, join_vars: true }, mangle: false };
// No page has these inline: a developer's page and a scan load them as files.
const ONLY_FILES = ["dev.js", "scan.js", "scan_stir.js"];

async function pack(file) {
  const source = readFileSync(file, "utf8"), module = /^export /m.test(source);
  const options = { ecma: ECMA, module, compress: COMPRESS };
  if (ONLY_FILES.includes(basename(file))) return (await minify(source, options)).code;
  const { ast } = await minify(source, { ...options, format: { spidermonkey: true, code: false } });
  const { code } = await minify(withoutMarkup(ast), { ...PRINT, ecma: ECMA, module, parse: { spidermonkey: true } });
  // What is left of both characters is in strings and patterns, where an escape means the same. Anywhere else it is an
  // error, which Terser finds when it reads the text again.
  const escaped = code.replaceAll("<", "\\x3c").replaceAll("&", "\\x26");
  await minify(escaped, { ...PRINT, module });
  return escaped;
}

try {
  const packed = [];
  for (const file of files) packed.push(await pack(file).catch(error => { throw `${file}: ${error.message}`; }));
  console.log(JSON.stringify(packed));
} catch (fault) {
  console.error(fault);
  process.exit(1);
}
