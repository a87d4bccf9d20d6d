// The same page in Vue 3, hydrated or made in the browser.
const {createSSRApp, createApp, h, ref, onMounted} = Vue;
const Shop = {
  setup() {
    const count = ref(0), live = ref(false), film = ref(false);
    onMounted(() => { live.value = true; });
    return () => h("main", [
      h("h1", "Shop"),
      h("button", {id: "add", onClick: () => count.value++}, String(count.value)),
      live.value ? h("p", {id: "live"}, "live") : null,
      h("button", {id: "play", onClick: () => { film.value = true; }}, "Play"),
      film.value ? h("iframe", {title: "A film", width: 300, height: 200, src: "https://film.example/2"}) : null,
      h("img", {src: "https://ads.example/p.gif", alt: ""}),
      h("div", {innerHTML: '<link rel="icon" href="/x"><b>bold</b>'}),
      h("iframe", {title: "Map", width: 300, height: 200, src: "https://film.example/map"}),
    ]);
  },
};
window.recovered = [];
const old = console.error;
console.error = (...all) => { window.recovered.push(all.join(" ")); old(...all); };
addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("root");
  (root.firstChild ? createSSRApp(Shop) : createApp(Shop)).mount(root);
});
