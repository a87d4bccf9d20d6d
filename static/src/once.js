// The grant in the address was for this one document: whoever reads, shares or reloads the address has none.
(function () {
  "use strict";
  document.currentScript.remove();
  history.replaceState(history.state, "", location.href.replace(/[?\x26]cg-once=[^#]*/, ""));
})();
