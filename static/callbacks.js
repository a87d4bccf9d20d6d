// Answers in the place of Google's tag where that is held. Shops go on in its callbacks (`event_callback` of gtag,
// `eventCallback` of Tag Manager, `gtag("get", ...)`): a link or a checkout that waits for one would wait for ever.
// Nothing is sent, and what is pushed stays in the queue as the page wrote it. Free of less-than and ampersand.
(w => {
  let name = "dataLayer", d = document, now = w[name];
  document.currentScript.remove();
  // Somebody else may be there all the same, from the shop's own host: that one answers, if it was in time.
  let call = done => {
    if (done?.call) setTimeout(() => w.google_tag_manager || done(), d.readyState == "complete" ? 0 : 999);
  };
  // A command is an arguments object, an event one of the page's own.
  let answer = said => {
    call(said?.[0] == "get" ? said[3] : said?.[2]?.event_callback);
    call(said?.eventCallback);
  };
  let hear = queue => {
    if (!queue?.push || queue.push.cg) return;
    let push = function (...all) {
      let size = Array.prototype.push.apply(this, all);
      all.forEach(answer);
      return size;
    };
    push.cg = 1;
    Reflect.defineProperty(queue, "push", { configurable: 1, writable: 1, value: push });
    queue.forEach?.(answer);
  };
  // Who watches already (signals.js) hears of it first.
  let old = Reflect.getOwnPropertyDescriptor(w, name);
  Reflect.defineProperty(w, name, {
    configurable: 1, enumerable: old?.enumerable,
    get: () => old?.get ? old.get() : now,
    set(value) {
      old?.set ? old.set(value) : now = value;
      hear(value);
    }
  });
  hear(now);
})(window);
