// The guard: the first script of every page on which some party is held. It stops what no policy can stop.
//
// WHY. Until the visitor agrees, our Content-Security-Policy refuses requests to held hosts. That leaves gaps:
// - A browser connects to the host of a frame before the policy refuses the request.
// - No policy covers hints (`<link rel=preconnect>`), refreshes, speculation rules, WebRTC servers, and passkeys.
// - No policy keeps vendors' cookies and storage keys out.
// The server takes all of this out of the markup that it sends, so only scripts can still do it.
//
// HOW. In every window of the page, the guard replaces the functions, setters and getters by which scripts do it. A Proxy
// around the original keeps its name, length, text and errors. Each row has a judge, a function further down:
//
//   judge        | interfaces                              | what is patched
//   ------------ | --------------------------------------- | ------------------------------------------------------
//   onAttribute  | HTML elements IFrame, Link, Script,     | src, srcdoc, href, rel, relList, httpEquiv, content,
//                | Base, Meta                              | type, text, textContent, innerText, append, appendChild,
//                |                                         | setAttribute, setAttributeNS, setAttributeNode,
//                |                                         | setAttributeNodeNS, removeAttribute, removeAttributeNS,
//                |                                         | removeAttributeNode, toggleAttribute
//   onRelList    | HTML element Link                       | relList, when a script reads it
//   onMarkup     | Document, ShadowRoot, DOMParser, Range, | innerHTML, outerHTML, insertAdjacentHTML, setHTML,
//                | Element                                 | setHTMLUnsafe, write, writeln, parseHTML, parseFromString,
//                |                                         | parseHTMLUnsafe, createContextualFragment
//   onNewRoot    | HTML element IFrame, Element            | contentWindow, contentDocument, attachShadow
//   onTarget     | HTML element Form, window               | submit, open
//   onObjectUrl  | URL                                     | createObjectURL
//   onPasskey    | CredentialsContainer,                   | everything, such as get and create
//                | PublicKeyCredential                     |
//   onConnection | RTCPeerConnection                       | setLocalDescription
//   onEntry      | Document, Storage, CookieStore          | cookie, setItem, set
//
// (The short patterns match `hreflang`, `getHTML` and `releasePointerCapture` as well. Calls of these pass.) In frames,
// the event `navigate` is judged, too: a script may send a frame of the shop's to another host.
//
// WHAT PASSES. All that leads to the shop's own origin or to an allowed host, and all that contacts no host. A held frame
// keeps its `src`, but gets an empty `srcdoc`, which wins, and then a placeholder. Of other calls, the held part is
// dropped: an attribute is not set, markup is written with its held elements disarmed, a cookie is not kept. Requests
// that the policy refuses, such as those of `script.src` and of style sheets, pass the guard.
//
// WHAT AN ERROR DOES. The shop's page must not break, so the guard fails open: if a judge throws, the original call is
// made, and a browser without an interface goes without its row. Then the policy, which fails closed, still refuses each
// request. A connection, a hint or a cookie may get through.
//
// TO ADD A ROW: write its judge, or take one that fits, call `patch` with the interfaces and a pattern of their own
// members, and add the row to the table above. tests/browser/test_guard_table.py compares the two.
//
// The guard is in every page, so it has at most 1,650 bytes (packed, gzip -9), and its patterns are short.
{
  const ownScript = document.currentScript;
  // From the server (web/banner/guard.py): patterns of the addresses that are allowed and of the names of cookies and
  // storage keys that are held, and the path of places.js.
  const [allowedUrls, heldNames, placeholdersPath] = ownScript.dataset.cg.split(" ");
  ownScript.remove();

  // Markup is parsed in a template, where nothing loads and no script runs.
  const inert = document.createElement("template");
  const { toggleAttribute } = inert;

  // ---- Is this held?

  // Only markup with one of these can do what the policy does not stop: speculation rules, a refresh, `preconnect` and
  // `prerender`, `dns-prefetch`, a frame or a base. Character references may spell these words, except `&#39;`, which
  // template engines write for an apostrophe. Ordinary product cards must not match, because parsing each of their tags
  // takes two thirds longer for 1 MB of cards.
  const suspect = /specu|&#[^3]|fresh|pre[cr]|dns-|<(if|ba)/i;

  // Return whether an address, or any part of an object such as the options of a call, leads to a held host.
  const isHeld = value => {
    try {
      if (typeof value != "string") {
        // In the options of a passkey, `rpId` and `id` name a host. With `//` before it, the host is read as an address.
        return JSON.stringify(value).replace(/"(rpI|i)d":"/g, '"//').split(/["{};,=\s']/).some(isHeld);
      }
      const url = new URL(value, origin);
      // An allowed address may be a document itself, with a held frame in it: "data:text/html,<iframe src=...>".
      if (url.origin != origin) return !url.href.match(allowedUrls) || containsHeld(unescape(url));
    } catch {
      // An invalid address leads nowhere.
    }
  };

  // Return whether an element with its present attributes would contact a held host in a page.
  const makesContact = element =>
    element.matches("iframe:not([srcdoc]),base") || suspect.test([element.httpEquiv, element.rel, element.type])
      ? isHeld(element.src || element.href || [element.content, element.text])
      : false;

  // Return the markup with its held elements disarmed. The first of two attributes with the same name counts, so new ones
  // are inserted right after the tag's name: an empty `srcdoc`, which overrides `src`, an `href` and a `content` that lead
  // nowhere, and a type that does not run. They have no quotes, because the markup may be in a script's string. It is
  // `href=#`, because preload scanners skip an empty `href` and read the next one. Only the first 6,000 characters of an
  // element are parsed.
  const disarm = markup =>
    suspect.test(markup)
      ? markup.replace(/<(if|ba|li|me|sc)\w+/gi, (tag, _, start) => {
          inert.innerHTML = markup.substr(start, 6000);
          const element = inert.content.firstChild || inert;
          return makesContact(element) || containsHeld(element.srcdoc) ? tag + " srcdoc href=# content type=x" : tag;
        })
      : markup;

  const containsHeld = markup => disarm(markup) != markup;

  // ---- Judges of calls
  //
  // A judge gets the object, the arguments, `call`, and the original function. `call` makes the original call with the
  // arguments, which the judge may have changed. If the judge returns `[answer]`, the script gets this answer; otherwise
  // the original call is made.

  // Make the call on a copy, and judge what the element would become.
  const onAttribute = (element, args, call, original) => {
    const copy = element.cloneNode(true);
    original.apply(copy, args.map(arg => arg?.cloneNode?.(true) || arg));
    const { src, srcdoc } = copy;
    if (makesContact(copy)) {
      if (!element.matches("iframe:not([srcdoc])")) return [];
      // Set before the call, the empty `srcdoc` keeps the frame from loading its `src`.
      toggleAttribute.call(element, "srcdoc", true);
      return [call()];
    }
    if (containsHeld(srcdoc)) return [(element.srcdoc = disarm(srcdoc))];
    const answer = [call()];
    // A held frame got an allowed address, so its empty `srcdoc` is removed.
    if (!(srcdoc || !src || isHeld(src))) toggleAttribute.call(element, "srcdoc", false);
    // A frame with a `srcdoc` or blob keeps its first window. Reading the window arms it before a script of the new document
    // runs.
    if (srcdoc || /^b/.test(src)) queueMicrotask(() => element.contentWindow);
    return answer;
  };

  // A script may add `preconnect` to the list that it reads. A held link has no address while the script runs. Afterwards it
  // gets its address back, and `onAttribute` judges it.
  const onRelList = link => {
    const { href } = link;
    if (isHeld(href)) {
      link.href = "";
      queueMicrotask(() => (link.href = href));
    }
  };

  // Each argument may be markup. What is written into a script of speculation rules is kept as a whole or not at all.
  const onMarkup = (target, args) => {
    if (target != inert) args.forEach((markup, index) => {
      if (suspect.test(target.type)) {
        if (isHeld([markup])) args[index] = "";
      } else if (containsHeld(markup + "")) args[index] = disarm(markup + "");
    });
  };

  // The window, document or shadow tree that a script gets is armed before the script can use it.
  const onNewRoot = (_, args, call) => {
    const root = call();
    arm(root);
    return [root];
  };

  // `open(url, name)` and a form's `submit()` may load a frame of the page, by its name. Otherwise they open a window.
  const onTarget = (form, [url = form?.action, name = form?.target], call) => {
    const frame = self[name]?.frameElement;
    if (!frame) return onNewRoot(0, 0, call);
    if (isHeld(url)) {
      frame.src = url;
      return [frame.contentWindow];
    }
  };

  // A blob of markup (HTML, XML) may become the document of a frame. Only a synchronous request can read it in time. The
  // blob is replaced only if something in it is held, because text in another encoding than UTF-8 would be damaged.
  const onObjectUrl = (_, args, call) => {
    const [blob] = args;
    if (/\b..?ml/.test(blob.type)) {
      const request = new XMLHttpRequest(), url = call();
      request.open("GET", url, false);
      request.send();
      const markup = disarm(request.response);
      if (markup == request.response) return [url];
      args[0] = new Blob([markup], blob);
    }
  };

  // For a passkey of another site (its `rpId`), the browser requests that site's permission over the network.
  const onPasskey = (_, args) => {
    if (isHeld(args[0])) args[0] = {};
  };

  // An RTCPeerConnection contacts its servers after it gets a local description.
  const onConnection = connection => {
    const configuration = connection.getConfiguration();
    if (isHeld(configuration)) {
      configuration.iceServers = [];
      connection.setConfiguration(configuration);
    }
  };

  // `cookie = text`, `setItem(name, value)`, `set(name, value)` or `set({ name, value })`. The answer is a promise, as from
  // the cookie store. The other calls have no answer that a script could use.
  const onEntry = (_, [entry]) => {
    if ((entry.name || entry).match(heldNames)) return [(async () => {})()];
  };

  // Once a held frame has loaded its empty `srcdoc`, it gets the placeholder, whose code is loaded only now.
  const showPlaceholder = ({ target }) => {
    if (target.matches?.('[src][srcdoc=""]')) import(origin + placeholdersPath).then(placeholders => placeholders.show(target), () => {});
  };

  // ---- Arming a window
  //
  // `root` is a window, a document or a shadow tree. Watch for frames that load in it, and patch its window once (`Node.cg`
  // marks a patched window). A shadow tree has no window, so `view.Node` throws an error, which ends the function when its
  // work is done. An error in one row skips the rows after it, so the rows whose interface a browser may lack come last.
  const arm = root => {
    try {
      const page = root.document || root;
      page.addEventListener("load", showPlaceholder, true);
      const view = page.defaultView;
      if (view.Node.cg) return;
      view.Node.cg = 1;

      // Patch the interfaces' own members, static ones too, whose names match. For `inherited` names, it patches a copy on
      // the interface itself, which calls the inherited function that the page has at that time. For an accessor, it patches
      // the setter, or else the getter; `side` may prefer the getter. This runs in every frame, so it reads only own names
      // and descriptors: reading all inherited ones takes three times as long.
      const patch = (interfaces, pattern, judge, inherited = "", side = "set") =>
        interfaces.split(" ").forEach(name =>
          [inherited ? 0 : view[name], view[name]?.prototype].forEach(owner => {
            if (owner) (inherited + Object.keys(owner)).match(pattern)?.forEach(key => {
              const own = Object.getOwnPropertyDescriptor(owner, key);
              const accessor = own?.get ? (own[side] ? side : "get") : "";
              const proxy = new Proxy(accessor ? own[accessor] : owner[key], {
                apply(original, object, args) {
                  const call = () => (own ? original : owner.__proto__[key]).apply(object, args);
                  try {
                    const answer = judge(object, args, call, original);
                    if (answer) return answer[0];
                  } catch {
                    // After an error in the judge, the original call is made.
                  }
                  return call();
                },
              });
              if (accessor) Object.defineProperty(owner, key, { [accessor]: proxy });
              else owner[key] = proxy;
            });
          })
        );

      patch("HTMLLinkElement", /relL\w+/g, onRelList, "", "get");
      patch(
        "HTMLIFrameElement HTMLLinkElement HTMLScriptElement HTMLBaseElement HTMLMetaElement",
        /\b(content\b|[rst]\w+Attr|http|t[ye]|app|rel|src|href|innerT)\w*/g,
        onAttribute,
        Object.keys(view.Element.prototype) + " appendChild ",
      );
      patch("Document ShadowRoot DOMParser Range Element", /\b(\w*HTML|wr|createContext|parse)\w*/g, onMarkup);
      patch("HTMLIFrameElement Element", /\b(contentDoc|contentWin|attachS)\w*/g, onNewRoot);
      patch("HTMLFormElement", /\bsubmit/g, onTarget);
      // Scripts may have globals of their own, such as `submenu` or `contentDiv`, so a window has a pattern of its own.
      // (In a global `reopen` the pattern matches `open`, which is then patched twice without harm.)
      patch("self", /open\b/g, onTarget);
      patch("URL", /create\w+/g, onObjectUrl);
      patch("CredentialsContainer PublicKeyCredential", /\w+/g, onPasskey);
      patch("RTCPeerConnection", /setL\w+/g, onConnection);
      patch("Document Storage CookieStore", /\b(cookie|set)\w*/g, onEntry);

      const frame = view.frameElement;
      if (frame) view.navigation.addEventListener("navigate", event => {
        const { url } = event.destination;
        if (isHeld(url)) {
          frame.src = url;
          event.preventDefault();
        }
      });
    } catch {
      // The window of another origin throws an error, but the page's scripts cannot use it either.
    }
  };

  arm(self);
}
