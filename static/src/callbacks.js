// Answers in place of Google's tag where that is held. Shops go on in its callbacks (`event_callback` of gtag,
// `eventCallback` of Tag Manager, `gtag("get", ...)`), so a link or a checkout that waits for one would wait for ever.
// Nothing is sent, and what the page pushes stays in the queue as it wrote it.
(view => {
  const name = "dataLayer", before = Reflect.getOwnPropertyDescriptor(view, name);
  let current = view[name] || [];
  document.currentScript.remove();

  // A tag from the shop's own host may be there all the same. It answers itself if it comes in time.
  const call = callback => {
    const wait = document.readyState == "complete" ? 0 : 999; // milliseconds
    if (callback?.call) setTimeout(() => view.google_tag_manager || callback(), wait);
  };
  // A command of gtag is an arguments object, an event of Tag Manager an object of the page's own.
  const answer = pushed => {
    call(pushed?.[0] == "get" ? pushed[3] : pushed?.[2]?.event_callback);
    call(pushed?.eventCallback);
  };

  const watched = new Set();
  const watch = queue => {
    const push = queue?.push;
    if (!push?.apply || watched.has(queue)) return;
    watched.add(queue);
    Reflect.defineProperty(queue, "push", { configurable: true, writable: true, value(...pushed) {
      const size = push.apply(this, pushed);
      pushed.forEach(answer);
      return size;
    } });
    queue.forEach?.(answer);
  };

  // Until the page sets the queue, it is on the prototype: the page's globals stay its own, and a script that asks whether
  // there is a queue finds one. signals.js may watch the name already, and then gets what is set first. A `var` hides our
  // property, so its queue is watched once the whole page is read.
  const stand = owner => Reflect.defineProperty(owner, name, {
    configurable: true,
    get: () => before?.get ? before.get() : current,
    set(value) {
      delete view.__proto__[name];
      stand(view);
      before?.set ? before.set(value) : current = value;
      watch(value);
    },
  });
  stand(before ? view : view.__proto__);
  watch(current);

  addEventListener("DOMContentLoaded", () => {
    watch(view[name]);
    // Optimize's snippet hides the page until the tag is there: for seconds, if it never comes.
    if (!view.google_tag_manager) view[name]?.hide?.end?.();
  });
})(window);
