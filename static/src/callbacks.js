// Calls the callbacks of Google's tag while it is held (`event_callback` of gtag, `eventCallback` of Tag Manager,
// `gtag("get", ...)`), because a shop's link or checkout that waits for one would never go on. This script sends no
// request, and leaves all entries in the queue as the page wrote them.
(view => {
  const name = "dataLayer", before = Reflect.getOwnPropertyDescriptor(view, name);
  let current = view[name] || [];
  document.currentScript.remove();

  // A tag from the shop's own host is not held. If it loads in time, it calls the callbacks itself.
  const call = callback => {
    const wait = document.readyState == "complete" ? 0 : 999; // milliseconds
    if (callback?.call) setTimeout(() => view.google_tag_manager || callback(), wait);
  };
  // A command of gtag is an arguments object, and an event of Tag Manager a plain object.
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

  // Until the page sets the queue, it is on the prototype, so that no global of the page is overwritten, and a script that
  // checks for a queue finds one. If signals.js watches the name already, it gets what is set first. A `var` of the page
  // hides our property, so its queue is watched after the whole page is parsed.
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
    // Optimize's snippet hides the page until the tag has loaded, or for some seconds if it never does.
    if (!view.google_tag_manager) view[name]?.hide?.end?.();
  });
})(window);
