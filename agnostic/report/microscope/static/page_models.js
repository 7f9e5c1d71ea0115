"use strict";
/* Two models, or two checkpoints of one: units that answer alike on the same pictures, side by side. */
(() => {
  const { h } = M;

  const other = (layer, n) => {
    const node = h("span", { class: "tile", css: { "--s": "56px" }, "aria-hidden": "true" });
    return layer.sprite_b ? M.sprite(node, layer.sprite_b, n, layer.columns_b) : node;
  };

  const pair = (layer) => ([a, b, r]) =>
    h("li", {}, h("a", { class: "pair", href: M.unitHref(layer.a, a), "aria-label": `Unit ${a} matches unit ${b}, correlation ${r.toFixed(2)}`, "data-testid": `pair-${a}-${b}` },
      M.tile(layer.a, a, { size: 56, patches: true }), other(layer, b), h("span", {}, `${a} `, h("span", { class: "quiet" }, `and ${b}`)), h("b", {}, r.toFixed(2))));

  /* Pairs come with the most alike first; what a checkpoint or fewer bits have changed is at the other end. */
  const ORDERS = [["alike", "most alike"], ["changed", "least alike"]];

  const answers = (data) =>
    data.images && data.images.length
      ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Answers of both models" }, h("table", {}, h("thead", {}, h("tr", {}, ["Picture", data.a.name, data.b.name].map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", {}, data.images.map((row) => h("tr", {}, h("th", { scope: "row" }, (M.image(row.id) || { file: row.id }).file), [row.a, row.b].map((list) => h("td", {}, list[0] ? `${list[0].name} ${M.percent(list[0].probability)}` : "–")))))))
      : null;

  const agreed = (outputs) =>
    outputs
      ? `They give the same first answer to ${M.percent(outputs.agreement)} of the pictures; their scores differ by ${M.number(outputs.mean)} on average and ${M.number(outputs.largest)} at most.`
      : "They know different classes, so that their answers cannot be compared.";

  M.page("models", {
    title: () => "Two models",
    needs: () => (M.site().compare ? ["compare", ...M.site().layers.map((layer) => `layer/${layer.slug}`)] : []),
    structure: ["layer", "order"],
    build(state, main) {
      const data = M.site().compare && M.get("compare");
      if (!data) return void main.append(M.head("Two models"), M.empty("This site was built for one model alone.", M.command("compare")));
      const layer = data.layers.find(({ a }) => a === state.q.layer) || data.layers[data.layers.length - 1];
      const order = state.q.order === "changed" ? "changed" : "alike";
      const pairs = order === "changed" ? [...layer.pairs].reverse() : layer.pairs;
      main.append(M.head(`${data.a.name} and ${data.b.name}`, agreed(data.outputs)),
        M.section("Matched units",
          h("p", { class: "prose" }, `Units are paired by how alike they answer on the same pictures. In this layer the pairs correlate ${Number(layer.mean_r).toFixed(2)} on average.`),
          M.choice("In", "layer", data.layers.map(({ a }) => [a, M.nameOf(a), true]), layer.a),
          M.choice("First", "order", ORDERS, order),
          h("ul", { class: "matched", "data-rove": "", "data-testid": "pairs" }, pairs.map(pair(layer)))),
        M.section("Their answers", answers(data)));
    },
  });
})();
