// Removes the grant for this one document from its address, so that the address can be copied, shared or loaded again.
(function () {
  "use strict";
  document.currentScript.remove();
  history.replaceState(history.state, "", location.href.replace(/[?&]cg-once=[^#]*/, ""));
})();
