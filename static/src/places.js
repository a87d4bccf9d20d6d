// Shows a placeholder in a held frame. The guard loads this module when a frame is held, and the module requests the
// placeholder's markup from the shop's server when the frame comes into view.
const places = new WeakSet(), home = new URL(".", import.meta.url);
// A placeholder runs no script, but may post a form to the shop and open its links.
const sandbox = "allow-forms allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-top-navigation-by-user-activation";

let policy = null;
function html(text) {
  if (!window.trustedTypes) return text;
  policy = policy || trustedTypes.createPolicy("cg-places", { createHTML: text => text });
  return policy.createHTML(text);
}

function fill(frame, text) {
  const own = frame.getAttribute("sandbox");
  if (own !== null) frame.setAttribute("sandbox", sandbox);
  frame.srcdoc = html(text);
  // If the page gives the frame another address, the placeholder is removed, and the guard judges the frame again.
  new MutationObserver((_, observer) => {
    observer.disconnect();
    places.delete(frame);
    if (own !== null) frame.setAttribute("sandbox", own);
    frame.setAttribute("srcdoc", window.trustedTypes ? trustedTypes.emptyHTML : "");
    frame.src = frame.getAttribute("src");
  }).observe(frame, { attributeFilter: ["src"] });
}

async function ask(frame) {
  const page = frame.ownerDocument, url = new URL("place", home);
  url.search = new URLSearchParams({
    url: frame.src, at: frame.id, title: frame.title,
    lang: page.documentElement.lang, scheme: getComputedStyle(frame).colorScheme,
    next: location.pathname + location.search,
    base: new URL(page.baseURI).origin === location.origin ? "" : "1",
  });
  const answer = await fetch(url, { cache: "no-store" });
  if (answer.ok) fill(frame, await answer.text());
}

const seen = new IntersectionObserver(entries => entries.forEach(({ target, boundingClientRect, isIntersecting }) => {
  if (!isIntersecting) return;
  // A frame as small as a beacon has no room for a button.
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
