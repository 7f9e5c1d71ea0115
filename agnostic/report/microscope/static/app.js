"use strict";
/* Start: the frame around every page, and the first one. */
(() => {
  const { h } = M;
  M.main = document.getElementById("main");

  const entries = () => {
    const site = M.site();
    const first = site.images[0];
    return [
      ["#/", "Model", ["model", "layer", "unit"]],
      first && [`#/image/${first.id}`, "Pictures", ["image", "spatial", "groups", "teaser", "dreams"]],
      [site.atlas && site.atlas.length ? `#/atlas/${site.atlas[0]}` : "#/atlas", "Atlas", ["atlas"]],
      ["#/models", "Two models", ["models"]],
      ["#/trust", "Method and trust", ["trust"]],
    ].filter(Boolean);
  };

  M.drawNavigation = (state) => {
    M.put(document.getElementById("nav"),
      h("a", { class: "brand", href: "#/", "data-key": "brand" }, M.site().model.name),
      h("span", { class: "pages" }, entries().map(([href, text, pages]) =>
        h("a", { href, "data-key": `page ${text}`, "aria-current": pages.includes(state.page) ? "page" : null }, text))));
  };

  const drawFoot = () => {
    const { model, made, examples } = M.site();
    M.put(document.getElementById("foot"),
      h("p", {}, [made, model.name, model.sha256 && `sha256 ${model.sha256.slice(0, 12)}`, examples && `examples from ${M.count(examples.count, "picture")}`].filter(Boolean).join(" · ")),
      h("p", {}, "Point to look, click to keep, arrows to move, Escape to let go. The address keeps what you see."));
  };

  M.page("lost", {
    title: () => "Not here",
    build: (state, main) =>
      void main.append(M.head("There is no such page", "This site has no page at this address; perhaps it was built again for other layers or pictures."),
        h("p", {}, h("a", { href: "#/" }, "To the model"))),
  });

  const start = () => {
    M.listen();
    document.getElementById("skip").addEventListener("click", (event) => {
      event.preventDefault();
      M.main.focus();
    });
    drawFoot();
    M.follow();
  };

  if (M.site()) start();
  else M.main.append(M.h("h1", {}, "There is no data here"), M.h("p", {}, "data/site.js is missing. Build the site again: agnostic microscope MODEL --images DIR --out SITE"));
})();
