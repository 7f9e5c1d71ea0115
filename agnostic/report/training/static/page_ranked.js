"use strict";
/* All samples by one score, where no run says more of them: those to look at first as pictures, with their bars. */
(() => {
  const { h } = M;
  const MANY = 96;

  M.page("ranked", {
    title: () => "Samples",
    structure: ["label", "many"],
    build(state, main) {
      const site = M.site();
      const points = M.points();
      const [ranking] = site.rankings;
      const scores = points.scores[ranking.name];
      const many = Number(state.q.many || MANY);
      const ids = points.orders[ranking.name].filter((id) => !state.q.label || points.label[id] === Number(state.q.label));
      const most = ids.reduce((found, id) => Math.max(found, Math.abs(scores[id])), 0);
      const list = M.linkedTiles(ids.slice(0, many).map((id) => [id, scores[id]]), most, ids.some((id) => scores[id] < 0));
      const more = h("button", { class: "more", "data-testid": "more", hidden: ids.length <= many, on: { click: () => M.set({ many: String(many + MANY) }) } }, "Show more");
      list.dataset.testid = "ranked";
      main.append(
        M.head(site.model.name, `${M.count(site.samples, "sample")}: ${ranking.note}.`),
        M.section(`Most suspect first: ${M.rankingTitle(ranking.name)}`,
          h("div", { class: "controls" }, M.pickOf("Label", "label", state.q.label || "", [["", "any"], ...site.classes.map((name, at) => [String(at), name])])),
          h("p", { class: "told" }, `${M.count(ids.length, "sample")}. Below each: its label, its number and its score.`), list, more));
      return () => {
        list.refresh();
        M.rove(main);
      };
    },
  });
})();
