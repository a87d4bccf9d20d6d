// What shops do with the queues of their tags, and where they go on without something.
const told = job => { try { return String(job()); } catch (error) { return `${error.constructor.name}: ${error.message}`; } };
const layer = () => (window.dataLayer = window.dataLayer || []);
const pushed = (...all) => { const size = layer().length; dataLayer.push(...all); return dataLayer.length - size; };
shop({
  "layer-made-where-it-lacks": () => {
    if (!("dataLayer" in window)) window.dataLayer = [];
    dataLayer.push({event: "view"});
    return [Array.isArray(dataLayer), dataLayer.length, dataLayer[0].event];
  },
  "layer-by-typeof": () => { if (typeof dataLayer === "undefined") window.dataLayer = []; return dataLayer.push({event: "a"}) > 0; },
  "layer-size": () => [pushed({event: "a"}), pushed(), pushed({event: "b"}, {event: "c"})],
  "layer-spread": () => { pushed({event: "last"}); return [...dataLayer].slice(-1); },
  "layer-text": () => { window.dataLayer = []; pushed({ecommerce: null}, {event: "a", n: 1}); return JSON.stringify(dataLayer); },
  "layer-keys": () => { window.dataLayer = []; pushed(1, 2); return [Object.keys(dataLayer), Object.entries(dataLayer).length]; },
  "layer-for-in": () => { window.dataLayer = [7]; const seen = []; for (const key in dataLayer) seen.push(key); return seen; },
  "layer-for-of": () => { window.dataLayer = [1, 2]; let sum = 0; for (const one of dataLayer) sum += one; return sum; },
  "layer-push-wrapped": () => {
    window.dataLayer = [];
    const old = dataLayer.push, seen = [];
    dataLayer.push = function (...all) { seen.push(all.length); return old.apply(this, all); };
    const said = [dataLayer.push("a"), dataLayer.push("b", "c")];
    return [seen, said, dataLayer];
  },
  "layer-push-by-call": () => { window.dataLayer = []; Array.prototype.push.call(dataLayer, 1); dataLayer.push.apply(dataLayer, [2, 3]); return dataLayer; },
  "layer-emptied": () => { window.dataLayer = [1, 2]; dataLayer.length = 0; dataLayer.push(3); return dataLayer; },
  "layer-other-methods": () => { window.dataLayer = [1]; dataLayer.unshift(0); dataLayer.splice(1, 0, 9);
    return [dataLayer.pop(), dataLayer.concat([5]), dataLayer.filter(Boolean), structuredClone([...dataLayer])]; },
  "layer-same-object": () => { const one = {event: "a", eventCallback() {}}; window.dataLayer = []; dataLayer.push(one);
    return [dataLayer[0] === one, Object.keys(one)]; },
  "layer-of-arguments": () => { window.dataLayer = []; (function () { dataLayer.push(arguments); })("event", "view", {a: 1});
    return [Object.prototype.toString.call(dataLayer[0]), dataLayer[0].length, dataLayer[0][2]]; },
  "layer-that-is-none": () => { window.dataLayer = {push: one => `took ${one}`}; return dataLayer.push("a"); },
  "layer-frozen": () => { window.dataLayer = Object.freeze([1]); return [dataLayer.length, told(() => dataLayer.push(2))]; },
  "layer-unset": () => { window.dataLayer = undefined; return [typeof dataLayer, (window.dataLayer = window.dataLayer || [4]).length]; },
  "layer-removed": () => { delete window.dataLayer; return ["dataLayer" in window, typeof dataLayer]; },
  "picture-with-a-way-on": async () => {
    const one = markup(`<img src="/nothing.png" onerror="this.onerror = null; this.src = '/i/1.svg'">`).firstChild;
    await until(() => one.naturalWidth); return [one.getAttribute("src"), one.naturalWidth]; },
  "picture-with-two-ways-on": async () => {
    const one = make("img", {src: "/no.png"}), tries = ["/none.png", "/i/1.svg"];
    one.onerror = () => { one.src = tries.shift(); }; put(one); await until(() => one.naturalWidth); return tries.length; },
  "script-with-a-way-on": async () => {
    window.lib = 0;
    const one = make("script", {src: "/missing.js"});
    one.onerror = () => document.head.append(make("script", {src: "/lib.js"}));
    document.head.append(one); await until(() => window.lib); return window.lib; },
  "library-or-own-copy": () => window.jQuery ? "theirs" : "own",
  "call-if-there": () => [window.fbq?.("track"), window.Intercom && 1, typeof ga, window.zE ? 1 : 0],
  "canvas-of-own-picture": async () => { const one = make("img", {src: "/i/1.svg"}); await one.decode();
    const canvas = make("canvas", {width: 8, height: 8}); canvas.getContext("2d").drawImage(one, 0, 0);
    return canvas.toDataURL().slice(0, 22); },
  "popup-that-answers": async () => { const popup = open("/own", "", "width=300,height=200"); if (!popup) return "blocked";
    const answer = heard(window, "message"); await until(() => popup.document.readyState == "complete" && popup.location.pathname == "/own");
    popup.eval("opener.postMessage('paid', '*')"); const {data} = await answer; popup.close(); return data; },
});
