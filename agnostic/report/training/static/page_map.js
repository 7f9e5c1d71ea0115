"use strict";
/* The first page: all samples on a map, and those that rank first as pictures. */
(() => {
  const { h, s } = M;
  const MANY = 96;
  const TITLES = { tidy: "TIDY", aum: "AUM", forgetting: "Forgetting", confident: "Confident learning", combined: "Combined", "self-influence": "Self-influence", "self-tracin": "TracIn on itself", "self-similarity": "Gradient of its own loss" };
  const title = (name) => TITLES[name] || name;

  const axesOf = (name) => {
    const points = M.points();
    const { epochs } = M.site();
    if (name === "cartography") return { x: { of: points.variability, name: "variability: standard deviation over the epochs" }, y: { of: points.confidence, name: "confidence: mean probability of the label" } };
    if (name === "margin") return { x: { of: points.margin, name: "margin (AUM)" }, y: { of: points.forgotten.map((n) => (n < 0 ? null : n)), name: "times forgotten" } };
    return { x: { of: points.mean_epoch, name: "mean epoch of right predictions", missing: epochs, missingName: "never", plus: 1 }, y: { of: points.share_right, name: "share of epochs predicted right" } };
  };
  const MAPS = [["when", "When and how often it is right"], ["cartography", "Confidence and variability"], ["margin", "Margin and forgetting"]];

  const chosen = (q) => {
    const names = M.site().rankings.map((ranking) => ranking.name);
    return { rank: names.includes(q.rank) ? q.rank : names[0], map: MAPS.some(([key]) => key === q.map) ? q.map : "when" };
  };

  const flagsOf = (rank) => {
    const flags = new Uint8Array(M.site().samples);
    for (const id of M.points().flags[rank] || []) flags[id] = 1;
    return flags;
  };

  const legend = (rank, kindOf) => {
    const counts = [0, 0, 0];
    for (let id = 0; id < M.site().samples; id++) if (M.points().label[id] >= 0) counts[kindOf(id)]++;
    const mark = (node) => s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, node);
    return h("p", { class: "legend" },
      h("span", {}, mark(s("path", { class: "dotwrong", d: "M2 2L10 10M10 2L2 10" })), `called wrong by ${title(rank)}: ${counts[2].toLocaleString("en")}`),
      h("span", {}, mark(s("circle", { class: "dothard", cx: 6, cy: 6, r: 4 })), `forgotten or never learned: ${counts[1].toLocaleString("en")}`),
      h("span", {}, mark(s("circle", { class: "doteasy", cx: 6, cy: 6, r: 3 })), `never forgotten: ${counts[0].toLocaleString("en")}`));
  };

  const score = (rank, id) => {
    const value = M.points().scores[rank][id];
    return value === null ? "never learned" : M.number(rank === "aum" ? -value : value, rank === "aum");
  };
  M.scoreOf = score;
  M.rankingTitle = title;

  const card = (node, id, rank) => {
    if (id === null) return M.put(node, h("p", { class: "quiet" }, "Point at a sample, or drag a box around several."));
    const points = M.points();
    const held = M.sample(id);
    const past = held && held.history;
    M.put(node, M.what(held, id, 192), h("h2", {}, h("a", { href: `#/sample/${id}?rank=${rank}` }, (held && held.name) || M.sampleName(id))),
      h("p", {}, `Labelled ${M.className(points.label[id])}, predicted ${M.className(points.predicted[id])} in the end.`),
      past && h("p", { class: "quiet" }, `${M.courseSaid(id, past)}.`),
      past && h("span", { class: "strip2", "aria-hidden": "true" }, past.predicted.map((guess) => h("i", { class: guess < 0 ? null : guess === points.label[id] ? "right" : "wrong" }))),
      h("table", {}, h("thead", {}, h("tr", {}, ["", "Score", "Place"].map((text, at) => h("th", { scope: "col", class: at ? "number" : null }, text)))), h("tbody", {}, M.site().rankings.map(({ name }) => h("tr", {}, h("th", { scope: "row" }, title(name)), h("td", { class: "number" }, score(name, id)), h("td", { class: "number" }, (M.placeOf(name, id) + 1).toLocaleString("en")))))),
      held === null && h("p", { class: "quiet" }, "Picture and history of this sample are not kept on the page; --keep keeps more."));
  };

  const places = new Map();
  M.placeOf = (rank, id) => {
    if (!places.has(rank)) {
      const found = new Int32Array(M.site().samples).fill(-1);
      M.points().orders[rank].forEach((sample, place) => (found[sample] = place));
      places.set(rank, found);
    }
    return places.get(rank)[id];
  };

  const said = (id) => {
    const { label, predicted } = M.points();
    return [h("span", {}, label[id] === predicted[id] ? M.className(label[id]) : `${M.className(label[id])} → ${M.className(predicted[id])}`), h("span", { class: "quiet" }, `#${id}`)];
  };

  const pickOf = (label, key, chosenValue, options) => {
    const select = h("select", { "data-testid": `pick-${key}`, "aria-label": label, on: { change: () => M.set({ [key]: select.value || null, many: null }) } },
      options.map(([value, text]) => h("option", { value, selected: value === chosenValue }, text)));
    return h("label", { class: "pick" }, h("span", { class: "quiet" }, label), select);
  };

  M.pickOf = pickOf;

  const filters = (q) => {
    const classes = M.site().classes.map((name, at) => [String(at), name]);
    return h("div", { class: "controls" },
      pickOf("Label", "label", q.label || "", [["", "any"], ...classes]),
      pickOf("Predicted", "predicted", q.predicted || "", [["", "any"], ...classes]),
      pickOf("Show", "only", q.only || "", [["", "all samples"], ["flagged", "those called wrong"], ["forgotten", "those ever forgotten"], ["never", "those never learned"]]));
  };

  const passing = (q, flags, map) => {
    const points = M.points();
    const box = q.box ? q.box.split(",").map(Number) : null;
    const inside = box && box.length === 4 && box.every(Number.isFinite) ? map.inside(box) : () => true;
    const only = { flagged: (id) => flags[id], forgotten: (id) => points.forgotten[id] > 0, never: (id) => points.first_right[id] < 0 }[q.only] || (() => true);
    return (id) => only(id) && (!q.label || points.label[id] === Number(q.label)) && (!q.predicted || points.predicted[id] === Number(q.predicted)) && inside(id);
  };

  M.page("map", {
    title: () => "Samples",
    structure: ["rank", "map", "label", "predicted", "only"],
    pins: ["sample", "box"],
    build(state, main) {
      const { rank, map: mapName } = chosen(state.q);
      const site = M.site();
      const points = M.points();
      const ranking = site.rankings.find(({ name }) => name === rank);
      const flags = flagsOf(rank);
      const kindOf = (id) => (flags[id] ? 2 : points.forgotten[id] > 0 || points.first_right[id] < 0 ? 1 : 0);
      const map = M.scatter(site.samples, axesOf(mapName), kindOf, (box) => M.set({ box: box && box.map((value) => value.toPrecision(5)).join(","), sample: null, many: null }));
      const about = h("aside", { class: "card", "aria-label": "The sample pointed at", "aria-live": "polite" });
      const list = h("ul", { class: "ranked", "data-rove": "", "data-testid": "ranked" });
      const told = h("p", { class: "told" });
      const more = h("button", { class: "more", "data-testid": "more", on: { click: () => M.set({ many: String(Number(M.state().q.many || MANY) + MANY) }) } }, "Show more");
      main.append(
        M.head(site.model.name, `${M.count(site.samples, "sample")} of ${site.classes.length} classes over ${M.count(site.epochs, "epoch")}. ${title(rank)} calls ${M.count(ranking.flagged, "sample")} wrong.`),
        M.choice("Rank by", "rank", site.rankings.map(({ name }) => [name, title(name)]), rank),
        M.choice("Map", "map", MAPS, mapName),
        h("div", { class: "mappage" }, h("figure", {}, map, legend(rank, kindOf)), about),
        M.section(`Most suspect first: ${title(rank)}`, h("p", { class: "quiet" }, `${ranking.note[0].toUpperCase()}${ranking.note.slice(1)}.`), filters(state.q), told, list, more));
      let shownFor = null;
      return (view) => {
        const id = view.sample !== undefined && Number(view.sample) >= 0 && Number(view.sample) < site.samples ? Number(view.sample) : null;
        const box = view.box ? view.box.split(",").map(Number) : null;
        map.mark(id, box && box.length === 4 ? box : null);
        const key = `${id}#${id === null ? "" : Boolean(M.sample(id))}`;
        if (about.shownFor !== key) {
          about.shownFor = key;
          card(about, id, rank);
        }
        const now = `${view.box}#${view.many}`;
        if (shownFor === null || shownFor.now !== now) {
          const passes = passing(state.q.box === view.box ? state.q : { ...state.q, box: view.box }, flags, map);
          shownFor = { now, ids: points.orders[rank].filter(passes) };
          M.say(told, `${M.count(shownFor.ids.length, "sample")}${view.box ? " in the box" : ""}. Below each: its label, what was predicted in the end where that differs, and the epochs, tall and teal where it was predicted right.`);
        }
        const ids = shownFor.ids.slice(0, Number(view.many || MANY));
        list.classList.toggle("wide", M.isWide(ids.slice(0, 8)));
        M.each(list, ids, (item) => item, (item) => M.sampleTile(item, said), M.fillTile);
        more.hidden = ids.length >= shownFor.ids.length;
        M.rove(list.parentNode);
      };
    },
  });
})();
