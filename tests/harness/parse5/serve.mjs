// A second opinion for the tests of the rewriter: parse5 and Node's WHATWG URL, one JSON question and answer a line.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The package lies in a cache of its own, which only the caller knows.
const require = createRequire(process.argv[2] + "/");
const { parse } = await import(pathToFileURL(require.resolve("parse5")).href);
const TEXTS = new Set(["script", "style"]);

function collect(node, inTemplate, found) {
  if (node.tagName !== undefined) {
    const attributes = node.attrs.map((one) => [one.prefix ? `${one.prefix}:${one.name}` : one.name, one.value]);
    const text = TEXTS.has(node.tagName)
      ? node.childNodes.map((child) => child.value ?? "").join("")
      : "";
    found.push([node.tagName, attributes, text, inTemplate]);
  }
  for (const child of node.childNodes ?? []) collect(child, inTemplate, found);
  if (node.content) collect(node.content, true, found);
  return found;
}

function resolve(reference, base) {
  try {
    const url = new URL(reference, base);
    return [url.protocol, url.hostname, url.href];
  } catch {
    return null;
  }
}

const ANSWERS = {
  parse: ({ page, scripting }) =>
    collect(parse(page, { scriptingEnabled: scripting }), false, []),
  resolve: ({ reference, base }) => resolve(reference, base),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(JSON.stringify(ANSWERS[question.ask](question)) + "\n");
}
