"""Snippets of well-known vendors that behave as documented, the shop code that calls them, and their scripts.

`AT(label)` stands for where a vendor answers.
"""

from __future__ import annotations

# Who is held until agreed to, with the cookie each writes; its key in the storage is called the same.
COOKIES = {
    "ga": "_ga",
    "gtm": "_gcl_au",
    "meta": "_fbp",
    "tiktok": "_ttp",
    "hotjar": "_hjSessionUser_1",
    "clarity": "_clck",
    "intercom": "intercom-id-x1",
    "matomo": "_pk_id.1",
}
NECESSARY = ("stripe", "paypal", "captcha", "static")
LOADER = """
var load = function (src) {
  var one = document.createElement("script"), first = document.getElementsByTagName("script")[0];
  one.async = true; one.src = src; first.parentNode.insertBefore(one, first);
};
"""
SNIPPETS = """
<script async src="AT(ga)/sdk.js?id=G-1"></script>
<script>
window.dataLayer = window.dataLayer || [];
function gtag() { dataLayer.push(arguments); }
gtag("js", new Date()); gtag("config", "G-1");
document.cookie = "_ga=GA1.1; path=/; max-age=9999";
</script>
<script>(function (w, l) {LOADER
w[l] = w[l] || []; w[l].push({"gtm.start": new Date().getTime(), event: "gtm.js"});
load("AT(gtm)/sdk.js?id=GTM-1");
})(window, "dataLayer")</script>
<script>!function (w, n) {LOADER
if (w.fbq) return;
n = w.fbq = function () { n.callMethod ? n.callMethod.apply(n, arguments) : n.queue.push(arguments); };
if (!w._fbq) w._fbq = n;
n.push = n; n.loaded = true; n.version = "2.0"; n.queue = [];
load("AT(meta)/sdk.js");
}(window);
fbq("init", "77"); fbq("track", "PageView");
document.cookie = "_fbp=fb.1; path=/; max-age=9999";
</script>
<noscript><img height="1" width="1" style="display:none" src="AT(meta)/tr?id=77&ev=PageView&noscript=1"></noscript>
<script>!function (w, t) {LOADER
w.TiktokAnalyticsObject = t;
var q = w[t] = w[t] || [];
q.methods = ["page", "track", "identify"];
q.setAndDefer = function (o, m) { o[m] = function () { o.push([m].concat([].slice.call(arguments, 0))); }; };
q.methods.forEach(function (m) { q.setAndDefer(q, m); });
q.load = function (id) { load("AT(tiktok)/sdk.js?sdkid=" + id + "&lib=" + t); };
q.load("C1"); q.page();
}(window, "ttq")</script>
<script>(function (h, o) {
h.hj = h.hj || function () { (h.hj.q = h.hj.q || []).push(arguments); };
h._hjSettings = {hjid: 1, hjsv: 6};
localStorage.setItem("_hjSessionUser_1", "1");
var head = o.getElementsByTagName("head")[0], one = o.createElement("script");
one.async = 1; one.src = "AT(hotjar)/sdk.js?sv=" + h._hjSettings.hjsv; head.appendChild(one);
})(window, document)</script>
<script>(function (c, a) {LOADER
c[a] = c[a] || function () { (c[a].q = c[a].q || []).push(arguments); };
load("AT(clarity)/sdk.js");
})(window, "clarity")</script>
<script>(function (w) {LOADER
var i = function () { i.c(arguments); };
i.q = []; i.c = function (args) { i.q.push(args); };
w.Intercom = i;
var later = function () { load("AT(intercom)/sdk.js"); };
document.readyState === "complete" ? later() : w.addEventListener("load", later, false);
})(window);
Intercom("boot", {app_id: "x1"});
</script>
<script>
var _paq = window._paq = window._paq || [];
_paq.push(["trackPageView"]); _paq.push(["enableLinkTracking"]);
(function () {LOADER
_paq.push(["setTrackerUrl", "matomo.php"]); _paq.push(["setSiteId", "1"]);
load("AT(matomo)/sdk.js");
})();
</script>
""".replace("LOADER", LOADER)
GTM_NOSCRIPT = '<noscript><iframe src="AT(gtm)/ns.html" height="0" width="0"></iframe></noscript>'
SHOP = """
<button id="add">Add to cart</button> <output id="cart">0</output>
<button id="help">Help</button> <p id="panel" hidden>Call us</p>
<div id="card"></div> <div id="paypal"></div> <button id="pay">Pay</button> <output id="paid"></output>
<script src="AT(stripe)/sdk.js"></script>
<script src="AT(paypal)/sdk.js?client-id=1"></script>
<script>var human = new Promise(function (done) { window.captchaReady = done; });</script>
<script src="AT(captcha)/sdk.js?onload=captchaReady&render=explicit" async defer></script>
<script>
var id = function (name) { return document.getElementById(name); };
id("add").onclick = function () {
  gtag("event", "add_to_cart", {value: 5});
  fbq("track", "AddToCart", {value: 5});
  ttq.track("AddToCart", {value: 5});
  dataLayer.push({event: "cart"});
  clarity("set", "cart", "1");
  hj("event", "cart");
  id("cart").textContent = 1 + Number(id("cart").textContent);
  localStorage.setItem("cart", id("cart").textContent);
  document.cookie = "cart=" + id("cart").textContent + "; path=/";
};
id("help").onclick = function () { Intercom("show"); id("panel").hidden = false; };
document.querySelector("main form").addEventListener("submit", function () {
  _paq.push(["trackEvent", "form", "sent"]);
});
var stripe = Stripe("pk_1"), card = stripe.elements().create("card"), order = [];
card.mount("#card");
paypal.Buttons({
  createOrder: function () { order.push("created"); return Promise.resolve("o1"); },
  onApprove: function (said) { order.push("approved " + said.orderID); id("paypal").dataset.order = order; }
}).render("#paypal");
id("pay").onclick = async function () {
  await human;
  var token = await grecaptcha.execute("key", {action: "pay"});
  id("paid").textContent = token + " " + (await stripe.createToken(card)).token.id;
};
</script>
"""
THANKS = """<p id="thanks">Thank you</p><script>
fbq("track", "Purchase", {value: 5, currency: "EUR"});
gtag("event", "purchase", {value: 5});
ttq.track("CompletePayment");
var kept = localStorage.getItem("cart") + " " + document.cookie.match(/cart=\\d/);
document.getElementById("thanks").textContent += ", " + kept;
</script>"""

# What a vendor's script begins with: `tell` sends one call, `drain` sends each that is queued.
SDK = """
let count = 0, at = new URL(document.currentScript.src).origin;
let word = x => x instanceof Date ? "now" : typeof x == "object" ? JSON.stringify(x) : x;
let tell = call => { fetch(at + "/collect", {method: "POST", mode: "no-cors", keepalive: true,
  body: JSON.stringify([location.pathname, count++, [...call].map(word).join(" ")])}); };
let drain = (calls = []) => [...calls].forEach(tell);
let layer = take => { dataLayer.forEach(take); let push = dataLayer.push;
  dataLayer.push = (...all) => { let size = push.apply(dataLayer, all); all.forEach(take); return size; }; };
let isCall = x => Object.prototype.toString.call(x) == "[object Arguments]";
"""
KEEP = 'document.cookie = "{name}=1; path=/; max-age=9999"; localStorage.setItem("{name}", "1");'
SDKS = {
    "ga": "layer(x => isCall(x) ? tell(x) : 0)",
    "gtm": "layer(x => isCall(x) ? 0 : tell([x.event]))",
    "meta": "fbq.callMethod = (...call) => tell(call); drain(fbq.queue)",
    "tiktok": "drain(ttq); ttq.methods.forEach(m => { ttq[m] = (...rest) => tell([m, ...rest]); })",
    "hotjar": "drain(hj.q); window.hj = (...call) => tell(call)",
    "clarity": "drain(clarity.q); window.clarity = (...call) => tell(call)",
    "intercom": "drain(Intercom.q); window.Intercom = (...call) => tell(call)",
    "matomo": "drain(_paq); window._paq = {push: (...calls) => calls.forEach(tell)}",
}
# A frame of the vendor's in the shop's page, asked by messages.
FRAMED = """
let at = new URL(document.currentScript.src).origin;
let framed = (where, heard) => { let frame = document.createElement("iframe"); frame.src = at + "/frame.html";
  addEventListener("message", event => { if (event.source === frame.contentWindow) heard(event.data); });
  document.querySelector(where).appendChild(frame); return frame; };
"""
FRAME = """<!doctype html><button onclick="parent.postMessage('click', '*')">Buy</button><script>
onmessage = event => event.source.postMessage("tok_" + event.data, "*"); parent.postMessage("ready", "*");
</script>"""
NECESSARY_SDKS = {
    "stripe": FRAMED
    + 'document.cookie = "__stripe_mid=1; path=/";'
    + """window.Stripe = key => { let frame, done, ready = new Promise(open => { done = open; }), answer;
      return {
        elements: () => ({create: kind => ({mount: where => {
          frame = framed(where, said => said == "ready" ? done() : answer({token: {id: said}})); }})}),
        createToken: card => ready.then(() => new Promise(open => {
          answer = open; frame.contentWindow.postMessage(key, "*"); })),
      }; };""",
    "paypal": FRAMED
    + """window.paypal = {Buttons: shop => ({render: where => framed(where, said => {
      if (said == "click") shop.createOrder().then(order => shop.onApprove({orderID: order})); })})};""",
    "captcha": """{ let done = new URL(document.currentScript.src).searchParams.get("onload");
      let one = document.createElement("script"); one.async = true; one.src = "AT(static)/sdk.js";
      one.onload = () => window[done](); document.head.appendChild(one); }""",
    "static": 'window.grecaptcha = {execute: (key, how) => Promise.resolve("human-" + how.action)};',
}
