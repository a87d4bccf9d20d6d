// On pages where something beyond the necessary is alive: a choice made in another tab, or while this page lay in
// the history, loads it again. A choice is told when its page is left: by then the browser has the new cookie. And who
// can withdraw stays able to where a framework makes the whole document anew and throws out what it does not know.
(function () {
  "use strict";
  var d = document, channel = window.BroadcastChannel ? new BroadcastChannel("cg") : null, chosen, part;
  new MutationObserver(() => {
    part = d.getElementById("cg") || part;
    if (part) if (!part.isConnected) d.body.prepend(part.parentNode);
  }).observe(d, {childList: true, subtree: true});
  function again() { location.reload(); }
  if (channel) channel.onmessage = again;
  addEventListener("submit", function (event) {
    if (/\/consent$/.test(event.target.action)) chosen = channel;
  }, true);
  addEventListener("pagehide", function () {
    if (chosen) chosen.postMessage(1);
  });
  addEventListener("pageshow", function (event) {
    if (event.persisted) again();
  });
})();
