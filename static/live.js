// On pages where something beyond the necessary is alive: a choice made in another tab, or while this page lay in
// the history, loads it again. A choice is told when its page is left: by then the browser has the new cookie. And who
// can withdraw stays able to where a framework makes the whole document anew and throws out what it does not know.
(() => {
  var d = document, tabs = window.BroadcastChannel ? new BroadcastChannel("cg") : null, chosen, part, times = 9;
  var again = () => location.reload();
  new MutationObserver(() => {
    var one = d.getElementById("cg");
    if (one) part = one.parentNode;
    // Not where it is there and empty, and not for ever: somebody else may want it out each time.
    else if (part) if (!part.isConnected) if (times-- > 0) d.body.prepend(part);
  }).observe(d, {childList: true, subtree: true});
  if (tabs) tabs.onmessage = again;
  addEventListener("submit", event => {
    if (/\/consent$/.test(event.target.action)) chosen = tabs;
  }, true);
  addEventListener("pagehide", () => {
    if (chosen) chosen.postMessage(1);
  });
  addEventListener("pageshow", event => {
    if (event.persisted) again();
  });
})();
