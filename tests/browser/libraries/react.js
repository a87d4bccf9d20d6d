// Parts of a page in React 19: hydrated as a whole document, as a root in one, or made in the browser.
const h = React.createElement;
window.recovered = [];
const said = {onRecoverableError: error => window.recovered.push(error.message)};
function Shop() {
  const [count, more] = React.useState(0), [live, alive] = React.useState(false), [film, play] = React.useState(false);
  React.useEffect(() => alive(true), []);
  return h("main", null,
    h("h1", null, "Shop"),
    h("button", {id: "add", onClick: () => more(count + 1)}, count),
    live ? h("p", {id: "live"}, "live") : null,
    h("button", {id: "play", onClick: () => play(true)}, "Play"),
    film ? h("iframe", {title: "A film", width: 300, height: 200, src: "https://film.example/2"}) : null,
    h("img", {src: "https://ads.example/p.gif", alt: ""}),
    h("div", {dangerouslySetInnerHTML: {__html: '<link rel="icon" href="/x"><b>bold</b>'}}),
    h("iframe", {title: "Map", width: 300, height: 200, src: "https://film.example/map"}));
}
const Whole = () => h("html", {lang: "en"},
  h("head", null, h("meta", {charSet: "utf-8"}), h("title", null, "Shop"),
    h("link", {rel: "canonical", href: "https://brand.example/precommande"}),
    h("script", {async: true, src: "https://tags.example/gtm.js"}),
    h("script", {async: true, src: "/app.js"})),
  h("body", null, h(Shop)));
const start = () => {
  const root = document.getElementById("root");
  if (!root) ReactDOM.hydrateRoot(document, h(Whole), said);
  else if (root.firstChild) ReactDOM.hydrateRoot(root, h(Shop), said);
  else ReactDOM.createRoot(root, said).render(h(Shop));
};
document.readyState == "loading" ? addEventListener("DOMContentLoaded", start) : start();
