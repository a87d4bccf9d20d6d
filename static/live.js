// On pages where something beyond the necessary is alive: a choice made in another tab, or while this page lay in
// the history, loads it again. A choice is told when its page is left: by then the browser has the new cookie.
(function () {
  "use strict";
  var channel = window.BroadcastChannel ? new BroadcastChannel("cg") : null, chosen = false;
  function again() { location.reload(); }
  if (channel) channel.onmessage = again;
  addEventListener("submit", function (event) {
    if (/\/consent$/.test(event.target.action)) chosen = true;
  }, true);
  addEventListener("pagehide", function () {
    if (chosen) if (channel) channel.postMessage(1);
  });
  addEventListener("pageshow", function (event) {
    if (event.persisted) again();
  });
})();
