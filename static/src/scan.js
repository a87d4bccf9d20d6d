// For scans only: tells who writes a cookie or a storage key, by name and never by value, and who asks for pictures. NAME is the binding's.
(() => {
  const tell = window.NAME;
  if (!tell) return;
  // The script on top of the stack that has an address; the page's own inline scripts have the page's.
  const by = () => (String(new Error().stack).match(/https?:\/\/[^\s)]+?(?=:\d+(:\d+)?\)?$)/m) || [""])[0];
  const note = (kind, name) => {
    try { tell({ kind: kind, name: String(name).slice(0, 2000), by: by(), site: location.host }); } catch { /* the page goes on */ }
  };
  const around = (owner, name, kind, key) => {
    const old = owner && owner[name];
    if (typeof old !== "function") return;
    owner[name] = new Proxy(old, { apply(f, s, a) { note(kind(s), key(a)); return f.apply(s, a); } });
  };
  const storage = (s) => { try { return s === sessionStorage ? "session storage" : "local storage"; } catch { return "local storage"; } };
  const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
  Object.defineProperty(Document.prototype, "cookie", {
    ...cookie,
    set(text) { note("cookie", String(text).split(/[=;]/)[0].trim()); cookie.set.call(this, text); },
  });
  // A picture that a script asks for has no stack in the browser's own account of it.
  const source = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    ...source,
    set(url) { source.set.call(this, url); if (by().split("#")[0] !== location.href.split("#")[0]) note("asked", this.src); },
  });
  around(Storage.prototype, "setItem", storage, (a) => a[0]);
  around(window.IDBFactory && IDBFactory.prototype, "open", () => "database", (a) => a[0]);
  around(window.CookieStore && CookieStore.prototype, "set", () => "cookie", (a) => (a[0] && a[0].name) || a[0]);
})();
