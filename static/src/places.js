// Shows who a held frame would be of, in the server's words. Loaded by the guard when a frame is held; asks the server
// once somebody would see the frame. No less-than and no ampersand, as in all our scripts.
let places = new WeakSet(), home = new URL(".", import.meta.url), policy = null;
// Nothing in a placeholder runs scripts. It posts as the shop's own page and opens what it links to.
let sandbox = "allow-forms allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-top-navigation-by-user-activation";

function html(text) {
  if (!window.trustedTypes) return text;
  policy = policy || trustedTypes.createPolicy("cg-places", { createHTML: one => one });
  return policy.createHTML(text);
}

function fill(frame, words) {
  let own = frame.getAttribute("sandbox");
  if (own !== null) frame.setAttribute("sandbox", sandbox);
  frame.srcdoc = html(words);
  // What the page puts into the frame next is judged anew.
  new MutationObserver((_, watching) => {
    watching.disconnect();
    places.delete(frame);
    if (own !== null) frame.setAttribute("sandbox", own);
    frame.setAttribute("srcdoc", window.trustedTypes ? trustedTypes.emptyHTML : "");
    frame.src = frame.getAttribute("src");
  }).observe(frame, { attributeFilter: ["src"] });
}

async function ask(frame) {
  let page = frame.ownerDocument, asked = new URL("place", home);
  asked.search = new URLSearchParams({
    url: frame.src, at: frame.id, title: frame.title, lang: page.documentElement.lang, scheme: getComputedStyle(frame).colorScheme,
    next: location.pathname + location.search,
    base: new URL(page.baseURI).origin === location.origin ? "" : "1"
  });
  let answer = await fetch(asked, { cache: "no-store" });
  if (answer.ok) fill(frame, await answer.text());
}

// As small as a beacon it has no room for a button.
let seen = new IntersectionObserver(entries => entries.forEach(({ target, boundingClientRect, isIntersecting }) => {
  if (!isIntersecting) return;
  if (Math.min(boundingClientRect.width, boundingClientRect.height) > 20) {
    seen.unobserve(target);
    ask(target).catch(() => places.delete(target));
  }
}));

export function show(frame) {
  if (places.has(frame)) return;
  places.add(frame);
  seen.observe(frame);
}
