"use strict";
/* The dreams page: a picture with all that a layer sees in it exaggerated, and a new picture of what it sees alone. */
(() => {
  const { h } = M;

  const KINDS = [
    ["deepdream", "Dream", "The picture, with all that this layer finds in it made stronger, from coarse to fine."],
    ["caricature", "Caricature", "A new picture, drawn from noise, that goes as far as it can in the direction of what this layer holds here."],
  ];

  /* Layers that the picture has pages at, and those that something was rendered for. */
  const layersOf = (state) => {
    const of = Object.keys(M.get("renders") || {}).map((name) => name.split("/"));
    const rendered = of.filter(([kind, id]) => KINDS.some(([known]) => known === kind) && id === state.id).map(([, , slug]) => slug);
    const wanted = new Set([...M.image(state.id).layers, ...rendered]);
    return M.site().layers.map(({ slug }) => slug).filter((slug) => wanted.has(slug));
  };

  const made = (state, slug) => ([kind, title, sentence]) => {
    const wish = { kind, layer: slug, picture: state.id };
    const found = M.rendered(wish);
    return h("section", { "data-testid": kind }, h("h2", {}, title), h("p", { class: "prose quiet" }, sentence),
      found ? [M.rendering(found, `${title} of ${M.image(state.id).file} at ${M.nameOf(slug)}`), M.recipe(found.recipe)]
        : M.wanting("This has not been rendered yet.", M.command("dreams", slug), [wish]));
  };

  M.page("dreams", {
    title: (state) => `Dreams of ${M.image(state.id).file}`,
    needs: () => ["renders"],
    structure: ["layer"],
    build(state, main) {
      const image = M.image(state.id);
      const layers = layersOf(state);
      main.append(M.pictureHead(state, "What a layer sees in this picture, as pictures: with what is there made stronger, and drawn anew. Both show what is seen, not what matters for an answer."));
      if (!layers.length) return void main.append(M.empty("No layer has been looked at with this picture yet.", M.command("images")));
      const done = layers.filter((slug) => KINDS.some(([kind]) => M.rendered({ kind, layer: slug, picture: state.id })));
      const slug = layers.includes(state.q.layer) ? state.q.layer : (done.length ? done : layers).at(-1);
      main.append(M.choice("In", "layer", layers.map((name) => [name, M.nameOf(name), true]), slug),
        M.site().gradient ? M.empty(M.site().gradient, M.command("gradient"))
          : h("div", { class: "dreams" },
            h("section", {}, h("h2", {}, "The picture"), h("p", { class: "prose quiet" }, "As it is."), h("figure", { class: "rendering" }, h("img", { src: `data/images/${encodeURI(image.id)}/image.jpg`, width: image.width, height: image.height, alt: image.file }))),
            KINDS.map(made(state, slug))));
    },
  });
})();
