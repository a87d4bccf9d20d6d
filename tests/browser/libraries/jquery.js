// A page as jQuery shops write it: delegated clicks, markup with scripts in it, parts fetched, frames made.
window.recovered = [];
jQuery($ => {
  const root = $("#root");
  root.html('<main><h1>Shop</h1><button id="add">0</button><button id="play">Play</button></main>');
  root.on("click", "#add", event => { $(event.target).text(1 + Number($(event.target).text())); });
  root.on("click", "#play", () => $("main").append(
    $("<iframe>", {title: "A film", width: 300, height: 200, src: "https://film.example/2"})));
  $("main").append('<img src="https://ads.example/p.gif" alt=""><script>window.ran = 1<\/script>'
    + '<iframe title="Map" width="300" height="200" src="https://film.example/map"></iframe>');
  $("<script>").text("window.ran += 1").appendTo("head");
  $("<div>").load("/part h2", function () {
    $(this).appendTo("main");
    $.getScript("/lib.js", () => $("main").append($("<p id=live>").text(`live ${window.ran} ${window.lib}`)));
  });
});
