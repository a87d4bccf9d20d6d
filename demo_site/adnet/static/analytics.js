// Tally Metrics: counts pages, as analytics scripts do.
(function () {
  'use strict';
  var me = document.currentScript, home = new URL(me.src).origin;
  var id = (document.cookie.match(/_ty_id=([0-9a-f]+)/) || [])[1] || Math.random().toString(16).slice(2, 14);
  document.cookie = '_ty_id=' + id + '; path=/; max-age=31536000';
  try { localStorage.setItem('_ty_visits', String(Number(localStorage.getItem('_ty_visits')) + 1)); } catch (refused) { /* storage is off */ }
  var told = new URLSearchParams({
    site: location.hostname, tid: me.dataset.site || '', cid: id, dl: location.href, dr: document.referrer,
    sr: screen.width + 'x' + screen.height, ul: navigator.language
  });
  navigator.sendBeacon(home + '/collect?via=analytics-beacon', told);
  fetch(home + '/collect?via=analytics-fetch&' + told, { mode: 'cors', credentials: 'include' })
    .catch(function () { /* blocked */ });
})();
