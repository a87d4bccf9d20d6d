// Answers in the place of Google's tag where that is held. Shops go on in its callbacks (`event_callback` of gtag,
// `eventCallback` of Tag Manager, `gtag("get", ...)`): a link or a checkout that waits for one would wait for ever.
// Nothing is sent, and what is pushed stays in the queue as the page wrote it. Free of less-than and ampersand.
(w => {
  // The queue is there from the start: who asks whether its name is taken must find one behind it.
  // Who watches already (signals.js) hears of it first.
  let name = "dataLayer", old = Reflect.getOwnPropertyDescriptor(w, name), now = w[name] || [];
  document.currentScript.remove();
  // Somebody else may be there all the same, from the shop's own host: that one answers, if it was in time.
  let call = done => {
    if (done?.call) setTimeout(() => w.google_tag_manager || done(), document.readyState == "complete" ? 0 : 999);
  };
  // A command is an arguments object, an event one of the page's own.
  let answer = said => {
    call(said?.[0] == "get" ? said[3] : said?.[2]?.event_callback);
    call(said?.eventCallback);
  };
  let heard = new Set(), hear = queue => {
    let push = queue?.push;
    if (!push?.apply || heard.has(queue)) return;
    heard.add(queue);
    Reflect.defineProperty(queue, "push", { configurable: 1, writable: 1, value(...all) {
      let size = push.apply(this, all);
      all.forEach(answer);
      return size;
    } });
    queue.forEach?.(answer);
  };
  // On the prototype until the page sets it: its globals stay its own. A `var` hides it, and is heard when all is read.
  let stand = where => Reflect.defineProperty(where, name, {
    configurable: 1,
    get: () => old?.get ? old.get() : now,
    set(value) {
      delete w.__proto__[name];
      stand(w);
      old?.set ? old.set(value) : now = value;
      hear(value);
    }
  });
  stand(old ? w : w.__proto__);
  hear(now);
  // What hides a page until the tag is there (Optimize's snippet) would leave it empty for seconds.
  addEventListener("DOMContentLoaded", () => {
    hear(w[name]);
    if (!w.google_tag_manager) w[name]?.hide?.end?.();
  });
})(window);
