// For scans only. Reports which script writes a cookie or a storage key, by name and never by value, and which one requests
// pictures. The scan replaces NAME by the name of its binding.
(() => {
  const report = window.NAME;
  if (!report) return;
  // Returns the address of the topmost script on the stack that has one. An inline script has the address of the page.
  const caller = () => (String(new Error().stack).match(/https?:\/\/[^\s)]+?(?=:\d+(:\d+)?\)?$)/m) || [""])[0];
  const note = (kind, name) => {
    try {
      report({ kind, name: String(name).slice(0, 2000), by: caller(), site: location.host });
    } catch { /* the page goes on */ }
  };
  // Reports the calls of a function, if the browser has it.
  const watch = (owner, name, kindOf, nameOf) => {
    const original = owner && owner[name];
    if (typeof original !== "function") return;
    owner[name] = new Proxy(original, {
      apply(target, object, args) {
        note(kindOf(object), nameOf(args));
        return target.apply(object, args);
      },
    });
  };
  const kindOfStorage = storage => {
    // In a sandbox, reading `sessionStorage` throws an error.
    try { return storage === sessionStorage ? "session storage" : "local storage"; } catch { return "local storage"; }
  };

  const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(Document.prototype, "cookie", {
    ...cookie,
    set(text) {
      note("cookie", String(text).split(/[=;]/)[0].trim());
      cookie.set.call(this, text);
    },
  });
  // If a script requests a picture, the browser's own record of the request has no stack.
  const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    ...source,
    set(url) {
      source.set.call(this, url);
      if (caller().split("#")[0] !== location.href.split("#")[0]) note("asked", this.src);
    },
  });
  watch(Storage.prototype, "setItem", kindOfStorage, args => args[0]);
  watch(window.IDBFactory && IDBFactory.prototype, "open", () => "database", args => args[0]);
  watch(window.CookieStore && CookieStore.prototype, "set", () => "cookie", args => (args[0] && args[0].name) || args[0]);
})();
