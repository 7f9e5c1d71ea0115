"use strict";
/* One sample: what it is, what was predicted over the epochs, and where it stands in each ranking. */
(() => {
  const { h } = M;

  const beside = (state, rank) => {
    const order = M.points().orders[rank];
    const place = M.placeOf(rank, Number(state.id));
    const link = (at, text, key) => at >= 0 && at < order.length && h("a", { href: `#/sample/${order[at]}?rank=${rank}`, "data-key": key, "data-testid": key }, text);
    return h("p", { class: "near" }, h("a", { href: `#/?rank=${rank}&sample=${state.id}`, "data-testid": "back" }, `${M.rankingTitle(rank)}, place ${(place + 1).toLocaleString("en")}`),
      link(place - 1, "← more suspect", "previous"), link(place + 1, "less suspect →", "next"));
  };

  const scores = (id) =>
    M.section("Where it stands",
      h("table", {}, h("thead", {}, h("tr", {}, ["Ranking", "Score", "Place", ""].map((text, at) => h("th", { scope: "col", class: at === 1 || at === 2 ? "number" : null }, text)))),
        h("tbody", {}, M.site().rankings.map(({ name }) => h("tr", {}, h("th", { scope: "row" }, M.rankingTitle(name)), h("td", { class: "number" }, M.scoreOf(name, id)),
          h("td", { class: "number" }, `${(M.placeOf(name, id) + 1).toLocaleString("en")} of ${M.points().orders[name].length.toLocaleString("en")}`),
          h("td", {}, M.points().flags[name].includes(id) ? "called wrong" : ""))))));

  const facts = (id) => {
    const points = M.points();
    const epoch = (value) => (value === null || value < 0 ? "never" : `epoch ${value + 1}`);
    const rows = [["Label", M.className(points.label[id])], ["Predicted in the end", M.className(points.predicted[id])],
      ["First right", epoch(points.first_right[id])], ["Right for good", epoch(points.learned[id])], ["Times forgotten", points.forgotten[id]],
      ["Mean probability of the label", M.number(points.confidence[id])], ["Its standard deviation", M.number(points.variability[id])],
      ["Mean margin", M.number(points.margin[id], true)], ["Region of the map", points.regions[points.region[id]]]];
    return M.section("What is known of it", h("dl", { class: "pairs" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])));
  };

  M.page("sample", {
    title: (state) => M.sampleName(Number(state.id)),
    knows: (id) => /^\d+$/.test(id || "") && Number(id) < M.site().samples,
    needs(state) {
      const place = M.points().kept[Number(state.id)];
      return place < 0 ? [] : [`samples/${Math.floor(place / M.site().shard)}`];
    },
    build(state, main) {
      const id = Number(state.id);
      const held = M.sample(id, () => {});
      const { rankings } = M.site();
      const points = M.points();
      const rank = rankings.some(({ name }) => name === state.q.rank) ? state.q.rank : rankings.length ? rankings[0].name : null;
      const lead = M.isRun() ? `Labelled ${M.className(points.label[id])}, predicted ${M.className(points.predicted[id])} in the end.` : `Labelled ${M.className(points.label[id])}.`;
      main.append(M.head((held && held.name) || M.sampleName(id), lead, { above: rank && beside(state, rank) }),
        h("div", { class: "samplepage" }, h("div", { class: "big" }, M.what(held, id, 288)),
          h("div", {},
            held && held.history ? M.section("Over the epochs", M.course(id, held.history)) : null,
            held ? null : M.empty("The picture and history of this sample are not kept on the page.", `${M.site().command} --keep ${M.site().samples}`),
            M.isRun() && facts(id), rank && scores(id))));
    },
  });
})();
