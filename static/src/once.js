// Takes the grant for this one document out of its address. An address that is copied, shared or loaded again has none.
(function () {
  "use strict";
  document.currentScript.remove();
  history.replaceState(history.state, "", location.href.replace(/[?&]cg-once=[^#]*/, ""));
})();
