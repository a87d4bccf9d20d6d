// Menus, pickers, carts, filters: what a product page does with its own elements.
shop({
  "menu-class": () => {
    const box = markup('<nav><button aria-expanded=false>Menu</button><ul hidden><li>a</ul></nav>');
    const button = box.querySelector("button");
    button.onclick = () => {
      button.setAttribute("aria-expanded", "true");
      box.querySelector("ul").hidden = false;
      document.body.classList.toggle("menu-open");
    };
    button.click();
    const said = box.innerHTML + document.body.className;
    document.body.classList.toggle("menu-open");
    return said;
  },
  "menu-delegated": () => {
    const box = markup('<ul class=menu><li data-to=1>a<li data-to=2>b</ul>'), went = [];
    box.addEventListener("click", event => went.push(event.target.closest("[data-to]").dataset.to));
    box.querySelectorAll("li").forEach(one => one.click());
    return went;
  },
  "menu-keyboard": () => {
    const box = markup("<a href=#1>1</a><a href=#2>2</a>"), links = [...box.children];
    box.onkeydown = event => { if (event.key == "ArrowRight") links[1].focus(); };
    links[0].focus();
    links[0].dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
    return document.activeElement.textContent;
  },
  "mega-menu-lazy": async () => {
    const box = markup('<template><ul><li>deep</li></ul></template><div id=mega></div>');
    box.querySelector("#mega").append(box.querySelector("template").content.cloneNode(true));
    return box.querySelector("#mega").innerHTML;
  },
  "tabs": () => {
    const box = markup('<div role=tablist><button aria-controls=t1>1</button><button aria-controls=t2>2</button></div>'
      + '<div id=t1>one</div><div id=t2 hidden>two</div>');
    for (const tab of box.querySelectorAll("button"))
      tab.onclick = () => box.querySelectorAll("[id]").forEach(one => {
        one.hidden = one.id != tab.getAttribute("aria-controls"); });
    box.querySelectorAll("button")[1].click();
    return box.innerText;
  },
  "accordion-details": () => {
    const box = markup("<details><summary>More</summary>text</details>");
    box.querySelector("summary").click();
    return box.firstChild.open;
  },
  "dialog": () => {
    const box = markup("<dialog><form method=dialog><button value=yes>ok</button></form></dialog>"), one = box.firstChild;
    one.showModal();
    one.querySelector("button").click();
    return one.returnValue + one.open;
  },
  "popover": () => {
    const box = markup("<div popover id=tip>tip</div>");
    box.firstChild.showPopover();
    return box.firstChild.matches(":popover-open");
  },
  "variant-picker": () => {
    const box = markup('<script type="application/json">{"variants":[{"id":7,"size":"M","price":1990,"image":"/i/7.jpg",'
      + '"url":"https://film.example/7"}]}<\/script><select><option>S<option>M</select><b></b><img>');
    const {variants} = JSON.parse(box.querySelector("script").textContent);
    box.querySelector("select").onchange = event => {
      const found = variants.find(one => one.size == event.target.value);
      box.querySelector("b").textContent = (found.price / 100).toFixed(2);
      box.querySelector("img").setAttribute("src", found.image);
    };
    box.querySelector("select").value = "M";
    box.querySelector("select").dispatchEvent(new Event("change"));
    return box.innerHTML;
  },
  "swatches": () => {
    const box = markup('<label><input type=radio name=c value=red>red</label><label><input type=radio name=c value=blue>b</label>');
    box.querySelector("[value=blue]").click();
    return new FormData(box.appendChild(make("form"))).get("c") + box.querySelector(":checked").value;
  },
  "quantity": () => {
    const box = markup("<input type=number value=1 min=1 max=3>"), field = box.firstChild;
    field.stepUp(); field.stepUp();
    return field.value + field.checkValidity();
  },
  "price-format": () => new Intl.NumberFormat("de-DE", {style: "currency", currency: "EUR"}).format(1234.5),
  "cart-storage": () => {
    localStorage.setItem("cart", JSON.stringify([{id: 7, url: away}]));
    const kept = JSON.parse(localStorage.getItem("cart"));
    localStorage.removeItem("cart");
    return kept[0].url + localStorage.getItem("cart");
  },
  "cart-storage-property": () => {
    localStorage.wish = "7"; sessionStorage["seen"] = "1";
    const said = localStorage.wish + Object.keys(sessionStorage).includes("seen");
    delete localStorage.wish; sessionStorage.clear();
    return said;
  },
  "cart-cookie": () => {
    document.cookie = "cartid=abc; path=/; max-age=60; samesite=lax";
    return document.cookie.split("; ").find(one => one.startsWith("cartid"));
  },
  "cookie-odd-values": () => {
    document.cookie = "a=b=c"; document.cookie = " spaced =1"; document.cookie = "bare"; document.cookie = 5;
    document.cookie = "gone=1"; document.cookie = "gone=; max-age=0";
    return document.cookie.split("; ").filter(one => /^(a|spaced|bare|5|gone)/.test(one)).sort();
  },
  "cookie-store": async () => {
    await cookieStore.set("modern", "1");
    await cookieStore.set({name: "newer", value: "2"});
    return (await cookieStore.getAll()).map(one => one.name).filter(one => /modern|newer/.test(one)).sort();
  },
  "cart-fetch": async () => (await fetch("/cart", {method: "POST", body: new URLSearchParams({id: 7})})).status,
  "cart-xhr": async () => {
    const ask = new XMLHttpRequest();
    ask.open("POST", "/cart"); ask.send(JSON.stringify({success_url: away}));
    await heard(ask, "load");
    return ask.status + ask.responseText.length % 1;
  },
  "cart-beacon": () => navigator.sendBeacon("/cart", "leaving"),
  "cart-section": async () => {
    const text = await (await fetch("/section")).text();
    const found = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    const box = markup(found.innerHTML);
    return box.querySelector("h1").outerHTML;
  },
  "cart-drawer-markup": () => {
    const rows = [1, 2].map(id => `<li data-id="${id}"><a href="/p/${id}"><img src="/i/${id}.jpg" alt=""></a></li>`);
    return markup(`<ul>${rows.join("")}</ul>`).innerHTML;
  },
  "filter-history": () => {
    const before = location.href, url = new URL(location);
    url.searchParams.set("colour", "red");
    history.pushState({colour: "red"}, "", url);
    const said = location.search + history.state.colour;
    history.replaceState(null, "", before);
    return said;
  },
  "sort-list": () => {
    const list = markup("<ul><li data-p=3>c<li data-p=1>a<li data-p=2>b</ul>").firstChild;
    list.replaceChildren(...[...list.children].sort((a, b) => a.dataset.p - b.dataset.p));
    return list.innerHTML;
  },
  "search-suggest": async () => {
    const box = markup("<input><ul></ul>"), asked = new AbortController();
    fetch("/suggest?q=t", {signal: asked.signal}).catch(() => 0);
    asked.abort();
    const said = await (await fetch("/suggest?q=te")).text();
    box.querySelector("ul").insertAdjacentHTML("beforeend", `<li><mark>te</mark>apot ${said.length > 0}</li>`);
    return box.innerHTML;
  },
  "gallery": () => {
    const box = markup('<img id=big src="/i/1.jpg"><img class=t src="/i/2.jpg" data-big="/i/2-big.jpg" srcset="/i/2.jpg 2x">');
    const big = box.querySelector("#big"), small = box.querySelector(".t");
    small.onclick = () => { big.src = small.dataset.big; big.srcset = small.srcset; };
    small.click();
    return big.outerHTML;
  },
  "zoom": () => {
    const box = markup("<div style='width:9px'></div>").firstChild;
    box.style.backgroundImage = "url(/i/1.jpg)"; box.style.setProperty("--x", "3%");
    return box.getAttribute("style");
  },
  "countdown": async () => {
    const box = markup("<time>2</time>").firstChild;
    await new Promise(done => {
      const clock = setInterval(() => { if (!--box.textContent) done(clearInterval(clock)); }, 5);
    });
    return box.outerHTML;
  },
  "animation": async () => {
    const done = markup("<p>x</p>").firstChild.animate([{opacity: 0}, {opacity: 1}], 10);
    await done.finished;
    return done.playState;
  },
  "form-validity": () => {
    const box = markup("<form><input type=email required><select required><option></select></form>").firstChild;
    return [...box.elements].map(one => one.validity.valid) + box[0].validationMessage.length % 1;
  },
  "form-data": () => {
    const form = markup('<form action="/x" target="_self"><input name=action value=add><input name=target value=t>'
      + '<input name=submit value=s></form>').firstChild;
    return [...new FormData(form)].join() + form.action.value + form.getAttribute("action");
  },
  "form-own-submit": async () => {
    const box = markup('<form><input name=a value=1><button>ok</button></form>'), form = box.firstChild, said = [];
    form.addEventListener("submit", event => { event.preventDefault(); said.push(event.submitter?.textContent); });
    form.requestSubmit(); form.querySelector("button").click();
    return said;
  },
  "drag": () => {
    const box = markup("<p draggable=true>x</p>").firstChild, moved = new DataTransfer();
    moved.setData("text/uri-list", away); moved.setData("text/html", `<iframe src="${away}"></iframe>`);
    return moved.getData("text/uri-list") + moved.getData("text/html") + box.draggable;
  },
  "file-preview": async () => {
    const file = new File(["text"], "a.txt", {type: "text/plain"}), url = URL.createObjectURL(file);
    return (await (await fetch(url)).text()) + file.type + url.startsWith("blob:" + origin);
  },
  "wish-button": () => {
    const box = markup('<button type=button onclick="this.dataset.on = 1; this.textContent = this.dataset.on + \'!\'">w</button>');
    box.firstChild.click();
    return box.innerHTML;
  },
  "copy-code": () => {
    const box = markup("<input value='SAVE10'>").firstChild;
    box.select();
    return box.selectionEnd + String(typeof navigator.clipboard);
  },
  "infinite-scroll": async () => {
    const box = markup("<p>end</p>");
    await new Promise(done => new IntersectionObserver((seen, eye) => { eye.disconnect(); done(); }).observe(box));
    return "seen";
  },
  "sticky-header": () => {
    const said = [];
    addEventListener("scroll", () => said.push(1), {passive: true, once: true});
    dispatchEvent(new Event("scroll"));
    return said;
  },
  "match-media": () => matchMedia("(min-width: 1px)").matches,
  "resize": async () => {
    const box = markup("<div style='width:5px;height:5px'></div>").firstChild;
    return new Promise(done => new ResizeObserver(seen => done(seen[0].contentRect.width)).observe(box));
  },
  "compare-table": () => {
    const table = markup("<table><tbody></table>").firstChild;
    table.insertRow().insertCell().innerHTML = "<b>1</b>";
    table.createTHead().innerHTML = "<tr><th>a";
    return table.outerHTML;
  },
  "currency-switch": () => {
    const box = markup('<select><option value="https://shop.example.com">US<option value="/de">DE</select>').firstChild;
    return [...box.options].map(one => one.value);
  },
  "toast": () => {
    const box = put(make("div", {role: "status"}));
    box.insertAdjacentText("beforeend", "saved <b>"); box.insertAdjacentElement("afterbegin", make("i"));
    return box.outerHTML;
  },
  "stars": () => markup([1, 2, 3].map(n => `<svg viewBox="0 0 2 2"><use href="#s${n}"/></svg>`).join("")).innerHTML,
  "recently-seen": () => {
    const seen = JSON.parse(sessionStorage.getItem("seen") || "[]");
    sessionStorage.setItem("seen", JSON.stringify([...new Set([7, ...seen])]));
    return sessionStorage.getItem("seen");
  },
  "size-guide": async () => {
    const box = markup("<dialog></dialog>").firstChild;
    box.innerHTML = (await (await fetch("/section")).text()).match(/<h1>.*<\/h1>/)[0];
    return box.innerHTML;
  },
});
