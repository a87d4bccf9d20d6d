// Ways out of the shop that are the visitor's: payment, sharing, newsletters, other countries. Each runs on a click.
const pay = "https://pay.example/session", share = "https://social.example/share?u=" + encodeURIComponent(location.href);
const form = said => Object.assign(document.createElement("form"), {action: pay, method: "post"}, said);
const field = (name, value) => Object.assign(document.createElement("input"), {type: "hidden", name, value});
const ways = {
  "form-action-then-submit": event => { const one = put(form({action: "/x"})); event.target.disabled = true;
    one.action = pay; one.submit(); },
  "form-made": () => { const one = form(); one.append(field("token", "t1"), field("action", "pay")); document.body.append(one);
    HTMLFormElement.prototype.submit.call(one); },
  "form-to-the-top": () => { const one = put(form({target: "_top"})); one.append(field("a", 1)); one.submit(); },
  "form-requested": () => { const one = put(form()); one.append(field("a", 1)); one.requestSubmit(); },
  "form-by-button": () => { const one = put(form()); one.append(make("button", {name: "go", value: "1"})); one.lastChild.click(); },
  "form-by-formaction": () => { const one = put(form({action: "/own"})); one.append(make("button", {formAction: pay}));
    one.lastChild.click(); },
  "form-in-markup": () => { markup(`<form action="${pay}" method=post><input name=MD value=1></form>`).firstChild.submit(); },
  "form-by-get": () => { const one = put(form({method: "get", action: "https://list.example/subscribe"}));
    one.append(field("mail", "a@b.example")); one.submit(); },
  "form-in-a-new-tab": () => { const one = put(form({target: "_blank", action: "https://list.example/subscribe"}));
    one.append(field("mail", "a@b.example")); one.submit(); },
  "form-in-a-named-popup": () => { open("", "paying", "width=400,height=400"); const one = put(form({target: "paying"}));
    one.append(field("a", 1)); one.submit(); },
  "form-in-a-popup-named-like-an-element": () => { put(make("p", {id: "pay"})); open("", "pay", "width=400");
    put(form({target: "pay"})).submit(); },
  "form-as-of-3-d-secure": () => { document.open(); document.write(`<form action="https://acs.example/auth" method=post>`
    + `<input type=hidden name=PaReq value=x></form><script>document.forms[0].submit()<\/script>`); document.close(); },
  "form-from-a-frame": () => { const one = put(make("iframe")); one.contentDocument.body.innerHTML =
    `<form action="${pay}" method=post target=_top></form>`; one.contentDocument.forms[0].submit(); },
  "location-href": () => { location.href = pay; },
  "location": () => { window.location = pay; },
  "location-assign": () => location.assign(pay),
  "location-replace": () => location.replace(new URL(pay)),
  "location-of-the-top": () => { top.location.href = pay; },
  "location-later": () => setTimeout(() => { location.href = pay; }, 30),
  "location-after-fetch": async () => { await fetch("/cart", {method: "POST", body: JSON.stringify({success_url: location.href})});
    location = pay; },
  "location-text": () => { (0, eval)(`location.href = "${pay}"`); },
  "navigation-api": () => { navigation.navigate(pay); },
  "anchor-made": () => { make("a", {href: share}).click(); },
  "anchor-in-a-new-tab": () => { put(make("a", {href: share, target: "_blank", rel: "noopener"})).click(); },
  "anchor-handler": () => { const one = put(make("a", {href: share, textContent: "share"}));
    one.onclick = () => { open(one.href, "share", "width=600,height=400"); return false; }; one.click(); },
  "open-popup": () => { open(share, "share", "width=600"); },
  "open-url-object": () => { open(new URL(share)); },
  "open-noopener": () => { open(share, "_blank", "noopener,noreferrer"); },
  "open-self": () => { open(pay, "_self"); },
  "open-then-location": () => { const one = open("", "_blank"); one.location = share; },
  "country-switch": () => { const one = markup('<select onchange="location = this.value"><option>a<option value="https://shop.example.fr/">').firstChild;
    one.selectedIndex = 1; one.dispatchEvent(new Event("change")); },
  "javascript-link": () => { markup(`<a href="javascript:location.assign('${pay}')">x</a>`).firstChild.click(); },
  "area": () => { markup(`<map name=m><area href="${share}"></map>`).querySelector("area").click(); },
};
for (const [name, way] of Object.entries(ways)) {
  const button = put(make("button", {textContent: name, id: "way-" + name}));
  button.onclick = way;
}
