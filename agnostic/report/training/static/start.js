"use strict";
/* Start: the frame around the pages, and the first one. */
(() => {
  const { h } = M;
  M.main = document.getElementById("main");

  const entries = () => {
    const { rankings, queries } = M.site();
    return [rankings.length && ["#/", "Samples", ["map", "ranked", "sample"]], queries.length && ["#/asked/0", "Influence", ["asked"]]].filter(Boolean);
  };

  M.drawNavigation = (state) => {
    M.put(document.getElementById("nav"), h("a", { class: "brand", href: "#/", "data-key": "brand" }, M.site().model.name),
      h("span", { class: "pages" }, entries().map(([href, text, pages]) => h("a", { href, "data-key": `page ${text}`, "aria-current": pages.includes(state.page) ? "page" : null }, text))));
  };

  M.page("lost", {
    title: () => "Not here",
    build: (state, main) => void main.append(M.head("There is no such page", "No sample or question has this address; perhaps the page was built again."), h("p", {}, h("a", { href: "#/" }, "To the first page"))),
  });

  M.page("home", {
    title: () => "Influence",
    build(state, main) {
      main.append(M.head(M.site().model.name, "What was asked about."),
        h("ul", { class: "plain" }, M.site().queries.map((query, at) => h("li", {}, h("a", { href: `#/asked/${at}` }, `${query.name}: ${query.target} (${query.kind})`)))));
    },
  });

  const start = () => {
    const site = M.site();
    M.home = M.isRun() ? "map" : site.rankings.length ? "ranked" : "home";
    M.listen();
    document.getElementById("skip").addEventListener("click", (event) => {
      event.preventDefault();
      M.main.focus();
    });
    M.put(document.getElementById("foot"),
      h("p", {}, [site.made, M.count(site.samples, "sample"), ...site.notes].join(" · ")),
      h("p", {}, "Point to look, click to keep, drag for a box, arrows to move, Escape to let go. The address keeps what you see."));
    M.follow();
  };

  if (M.site() && M.points()) start();
  else M.main.append(M.h("h1", {}, "There is no data here"), M.h("p", {}, "data/site.js or data/points.js is missing. Build the page again: agnostic training dynamics RUN --data DATA --out DIR"));
})();
