// Under a policy that enforces Trusted Types; the page gives its markup and scripts through policies of its own.
const through = trustedTypes.createPolicy("shop", {createHTML: x => x, createScript: x => x, createScriptURL: x => x});
shop({
  "plain-markup-is-refused": () => { try { put(make("div")).innerHTML = "<p>x"; } catch (error) { return error.name; } },
  "suspect-markup-is-refused": () => { try { put(make("div")).innerHTML = "<iframe src=/own>"; } catch (error) { return error.name; } },
  "markup": () => { const box = put(make("div")); box.innerHTML = through.createHTML("<p>a<link rel=icon href=/x>"); return box.innerHTML; },
  "own-frame": async () => {
    const box = put(make("div"));
    box.innerHTML = through.createHTML("<iframe src=/own></iframe>");
    await heard(box.firstChild, "load");
    return box.firstChild.contentDocument.title + box.innerHTML;
  },
  "adjacent": () => { const box = put(make("div")); box.insertAdjacentHTML("beforeend", through.createHTML("<meta name=x><b>c")); return box.innerHTML; },
  "script-src": async () => {
    const one = make("script", {src: through.createScriptURL("/lib.js")});
    document.head.append(one);
    await heard(one, "load");
    return window.lib + one.getAttribute("src");
  },
  "script-attribute": () => { const one = make("script"); one.setAttribute("src", through.createScriptURL("/lib.js")); return one.outerHTML; },
  "script-text": () => { const one = make("script"); one.text = through.createScript("window.trusted = 1"); document.head.append(one); return window.trusted; },
  "srcdoc": async () => { const one = make("iframe"); one.srcdoc = through.createHTML("<p>in"); put(one); await heard(one, "load");
    return one.contentDocument.body.innerHTML; },
  "parser": () => new DOMParser().parseFromString(through.createHTML("<link rel=icon><p>x"), "text/html").body.innerHTML,
  "fragment": () => { put(document.createRange().createContextualFragment(through.createHTML("<i>f"))); return document.getElementById("stage").innerHTML; },
  "frame-by-src": async () => { const one = put(make("iframe", {src: "/own"})); await heard(one, "load"); return one.contentDocument.title; },
});
