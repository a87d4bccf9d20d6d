// html-rewriter-wasm (lol-html in WebAssembly, on Node) doing the same job in JavaScript; the answers to worker.py's
// commands, in its words. CPU time is that of all of Node's threads. Usage: node html_rewriter_wasm.mjs PACKAGE PAGES.json memo|plain
//
// Written as lolhtml_peer.py is: few selectors, one regular expression that sorts out what needs no judge. URLs are
// resolved by Node's own WHATWG parser. Not done: what lolhtml_peer.py does not do, and srcdoc.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [, , folder, source, variant] = process.argv;
const { HTMLRewriter } = createRequire(import.meta.url)(folder);
const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf-8"));
const task = JSON.parse(readFileSync(source, "utf-8"));
const pages = task.pages.map((page) => page.map((chunk) => new Uint8Array(Buffer.from(chunk, "base64"))));
const HTML = { html: true };
const MAY_REACH = /\/\/|[\\:&\t\n\r]/;
const MAY_LOAD = /[(\\&]/;
const REFERENCE = /&(?:#x([0-9a-f]+);?|#([0-9]+);?|(amp|sol|bsol|colon|Tab|NewLine|lpar|quot|apos|lt|gt|period);?)/gi;
const NAMED = { amp: "&", sol: "/", bsol: "\\", colon: ":", tab: "\t", newline: "\n", lpar: "(", quot: '"', apos: "'",
  lt: "<", gt: ">", period: "." };
const CSS_URL = /url\(\s*(?:"([^"]*)"|'([^']*)'|([^\s"'()]+))|@import\s*(?:"([^"]*)"|'([^']*)')/gi;
const CANDIDATE = /[\s,]*([^\s]+)(?:\s[^,]*)?/g;
const INERT_RELATIONS = new Set(task.inert_relations);

let base, isOwn, hasBase, memo;
const forget = () => { memo = { url: new Map(), urls: new Map(), values: new Map(), srcset: new Map(),
  document: new Map(), sheets: new Map() }; };
forget();

const decoded = (text) => !text.includes("&") ? text : text.replace(REFERENCE, (all, hex, decimal, name) => {
  if (name) return NAMED[name.toLowerCase()] ?? all;
  const code = parseInt(hex ?? decimal, hex ? 16 : 10);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
});

const judge = (url) => url.host === task.shop_host ? null : "marketing";

function reaches(reference) {
  if (!reference || reference[0] === "#") return false;
  const url = URL.parse ? URL.parse(reference, base) : parse(reference);
  return url !== null && /^(?:https?|wss?|ftp):/.test(url.protocol) && judge(url) !== null;
}

function parse(reference) {
  try { return new URL(reference, base); } catch { return null; }
}

const JUDGES = {
  url: reaches,
  urls: (value) => value.split(/\s+/).some(reaches),
  values: (value) => value.split(";").some(reaches),
  srcset: (value) => [...value.matchAll(CANDIDATE)].some((match) => reaches(match[1])),
  document: (value) => reaches(value) || /^\s*(?:javascript|data:(?!image))/i.test(value),
};

function holds(kind, value) {
  const ask = () => (!isOwn || MAY_REACH.test(value)) && JUDGES[kind](decoded(value));
  return remembered(memo[kind], value, ask);
}

function remembered(known, key, ask) {
  if (variant !== "memo" || !isOwn) return ask();
  let answer = known.get(key);
  if (answer === undefined) known.set(key, (answer = ask()));
  return answer;
}

const sheet = (text) => remembered(memo.sheets, text, () =>
  !text.includes("(") && !text.includes("@") ? text
    : text.replace(CSS_URL, (all, ...found) => {
      const reference = found.slice(0, 5).find((group) => group !== undefined);
      return reaches(reference) ? all.replace(reference, "data:,") : all;
    }));

function hold(element, name, value) {
  element.setAttribute(`data-cg-${name.replace(":", "-")}`, value);
  element.removeAttribute(name);
}

function judgeElement(element) {
  const tag = element.tagName;
  const loads = task.table[tag] ?? task.table[""];
  for (const [name, value] of element.attributes) {
    const kind = Object.hasOwn(loads, name) ? loads[name] : undefined;
    if (kind === undefined || !value) continue;
    if (kind === "css") {
      if (MAY_LOAD.test(value)) judgeStyle(element, name, value);
    } else if (holds(kind, value) && (tag !== "link" || name !== "href" || isLoadingLink(element))) {
      hold(element, name, value);
      if (tag === "script") neutralize(element);
    }
  }
}

function judgeStyle(element, name, value) {
  const text = decoded(value);
  const changed = sheet(text);
  if (changed !== text) element.setAttribute(name, changed.replaceAll("&", "&amp;"));
}

const isLoadingLink = (element) =>
  !(element.getAttribute("rel") ?? "").toLowerCase().split(/\s+/).every((one) => INERT_RELATIONS.has(one));

function neutralize(element) {
  const kind = element.getAttribute("type");
  if (kind !== null) hold(element, "type", kind);
  element.setAttribute("type", "text/plain");
}

const refresh = {
  element(element) {
    const value = element.getAttribute("content");
    const match = /url\s*=\s*["']?([^"']*)/i.exec(decoded(value));
    if (match && reaches(match[1])) {
      hold(element, "content", value);
      hold(element, "http-equiv", "refresh");
    }
  },
};

const baseElement = {
  element(element) {
    const href = element.getAttribute("href");
    if (holds("url", href)) hold(element, "href", href);
    else if (!hasBase) {
      const url = parse(decoded(href));
      if (url) [base, hasBase, isOwn] = [url.href, true, url.host === task.shop_host];
    }
  },
};

function gathering(finish) {
  let parts = [];
  return (chunk) => {
    if (!chunk.lastInTextNode) {
      parts.push(chunk.text);
      chunk.remove();
      return;
    }
    const text = parts.join("") + chunk.text;
    parts = [];
    chunk.replace(finish(text), HTML);
  };
}

const style = { text: gathering(sheet) };
const body = { element(element) { element.prepend(task.banner, HTML); } };
const loading = { element: judgeElement };
let aborted = 0;

async function rewrite(page) {
  [base, isOwn, hasBase] = [task.shop, true, false];
  const out = [];
  const rewriter = new HTMLRewriter((chunk) => out.push(chunk));
  rewriter.on(task.loading, loading).on('meta[http-equiv="refresh" i][content]', refresh)
    .on("base[href]", baseElement).on("style", style).on("body", body);
  try {
    for (const chunk of page) await rewriter.write(chunk);
    await rewriter.end();
  } catch {
    aborted += 1;
  } finally {
    rewriter.free();
  }
  return out;
}

async function timed(isCold, atLeast) {
  let [spent, passes] = [0, 0];
  while (spent < atLeast) {
    if (isCold) forget();
    const before = process.cpuUsage();
    for (const page of pages) await rewrite(page);
    const { user, system } = process.cpuUsage(before);
    spent += (user + system) / 1e6;
    passes += 1;
  }
  return { seconds: spent / passes };
}

async function outputs() {
  aborted = 0;
  const found = [];
  for (const page of pages) found.push(Buffer.concat(await rewrite(page)).toString("base64"));
  return { name: `html-rewriter-wasm ${version}, Node ${process.versions.node}`, outputs: found, aborted };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, atLeast] = line.split(" ");
  const answer = command === "outputs" ? await outputs() : await timed(command === "cold", Number(atLeast));
  process.stdout.write(JSON.stringify(answer) + "\n");
}
