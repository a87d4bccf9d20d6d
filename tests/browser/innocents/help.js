// What the snippets share. Each file calls `shop({name: snippet})`; a snippet returns what it did.
window.outcomes = {};
const away = "https://film.example";
const make = (name, said) => Object.assign(document.createElement(name), said);
const put = one => (document.getElementById("stage").append(one), one);
const markup = text => { const box = put(make("div")); box.innerHTML = text; return box; };
const heard = (one, kind) => new Promise(done => one.addEventListener(kind, done, {once: true}));
const later = (ms = 0) => new Promise(done => setTimeout(done, ms));
const until = async isThere => { for (let n = 0; n < 300 && !isThere(); n++) await later(10); };
const script = text => { const one = make("script", {text}); document.head.append(one); return one; };
const patient = snippet => Promise.race([
  Promise.resolve().then(snippet).catch(error => `threw ${error.name}: ${error.message}`),
  later(8000).then(() => "too late"),
]);
let turn = Promise.resolve();
const shop = snippets => {
  for (const [name, snippet] of Object.entries(snippets))
    turn = turn.then(async () => {
      document.getElementById("stage").replaceChildren();
      const said = await patient(snippet);
      window.outcomes[name] = String(typeof said == "object" ? JSON.stringify(said) : said);
    });
};
const everything = async () => {
  await turn;
  return window.outcomes;
};
