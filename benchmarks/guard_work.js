// What a shop's page does while the guard's cost is measured: each function is one work of `guard.py`.
// Markup as shops have it: cards with a picture, a link and a button; `<meta>` of microdata is a word that the guard knows.
let card = n => `<li class="card"><a href="/p/${n}?a=1&amp;b=2"><img src="/i.svg" alt="Pot ${n}" width="8" height="8"></a>`
  + `<h3>Pot ${n} &lt;new&gt;</h3><p class="price" data-id="${n}">${n},00 EUR</p><button type="button">Buy</button></li>`;
let e = window.React?.createElement;
let list = (count, mark) => e("ul", { className: mark }, Array.from({ length: count / 5 }, (_, n) => e("li", { key: n,
  id: "i" + n, title: mark }, e("a", { href: "/p/" + n, onClick() {} }, mark + n), e("img", { src: "/i.svg?" + n,
  alt: "Pot", width: 8 }), e("input", { type: "checkbox", name: "x" + n, defaultChecked: n % 2 }), e("b", null, n)))); 
window.work = {
  async nodes() {
    let stage = document.querySelector("#stage"), root = ReactDOM.createRoot(stage);
    let wait = () => new Promise(done => setTimeout(done, 50));
    for (let mark of ["one", "two"]) {
      root.render(list(10000, mark));
      while (!stage.querySelector("." + mark)) await wait();
    }
    root.unmount();
    while (stage.firstChild) await wait();
  },
  async "frames of the shop"() {
    let stage = document.querySelector("#stage"), loads = [];
    for (let n = 0; n !== 500; n++) {
      let frame = document.createElement("iframe");
      frame.src = "/own"; frame.title = "Part"; frame.width = 40; frame.height = 40;
      loads.push(new Promise(done => { frame.onload = done; }));
      stage.append(frame);
    }
    await Promise.all(loads);
  },
  async "empty frames written into"() {
    let stage = document.querySelector("#stage");
    for (let n = 0; n !== 500; n++) {
      let frame = document.createElement("iframe");
      stage.append(frame);
      frame.contentDocument.body.innerHTML = "<p>part</p>";
    }
  },
  async markup() {
    document.querySelector("#stage").innerHTML = cards;
  },
  async "markup with a frame"() {
    document.querySelector("#stage").innerHTML = cards + '<iframe src="/own" title="Part"></iframe>';
  },
  async "markup with microdata"() {
    document.querySelector("#stage").innerHTML = microdata;
  },
};
let cards = "", microdata = "";
for (let n = 0; cards.length < 1e6; n++) cards += card(n);
for (let n = 0; microdata.length < 1e6; n++) microdata += card(n).replace("<button", '<meta itemprop="sku" content="' + n + '"><button');
