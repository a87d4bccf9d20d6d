// Loaded by tag.js: asks for segments by the old way of XMLHttpRequest.
(function () {
  'use strict';
  var me = new URL(document.currentScript.src);
  var request = new XMLHttpRequest();
  request.open('GET', me.origin + '/collect?via=xhr&uid=' + me.searchParams.get('uid'));
  request.withCredentials = true;
  request.send();
})();
