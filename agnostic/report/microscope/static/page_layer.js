"use strict";
/* The layer page: all its units at once, sorted and filtered, with a closer look at the one pointed at. */
(() => {
  const { h } = M;

  const SORTS = {
    max: ["strongest", (a, b) => b.max - a.max],
    sparse: ["sparsest", (a, b) => a.share_active - b.share_active],
    selective: ["most selective", (a, b) => (b.selectivity ? b.selectivity.value : -1) - (a.selectivity ? a.selectivity.value : -1)],
    index: ["number", (a, b) => a.n - b.n],
  };

  const wordsOf = (unit) => [unit.n, unit.dead ? "dead" : "", unit.selectivity ? unit.selectivity.name : "", ...unit.supports.map((row) => row.name)].join(" ").toLowerCase();

  const shown = (units, view) => {
    const words = (view.filter || "").toLowerCase();
    const kept = units.filter((unit) => !words || wordsOf(unit).includes(words));
    const dead = (unit) => (view.sort === "index" ? 0 : Number(unit.dead));
    return kept.sort((a, b) => dead(a) - dead(b) || SORTS[view.sort in SORTS ? view.sort : "max"][1](a, b));
  };

  const figureOf = (unit, sort) =>
    unit.dead ? "dead"
      : sort === "sparse" ? M.percent(unit.share_active)
      : sort === "selective" && unit.selectivity ? M.number(unit.selectivity.value)
      : M.number(unit.max);

  const unitTile = (slug, unit) =>
    h("li", {},
      h("a", { href: M.unitHref(slug, unit.n), "aria-label": `Unit ${unit.n}${unit.dead ? ", dead" : `, at most ${M.number(unit.max)}`}`, "data-unit": unit.n, "data-testid": `unit-${unit.n}` },
        M.tile(slug, unit.n), h("span", { class: "under" }, h("b", {}, unit.n), h("span", { class: "value" }))));

  const closer = (slug, unit, aside) => {
    M.put(aside,
      M.tile(slug, unit.n, { size: 192 }),
      h("h2", {}, `Unit ${unit.n}`),
      unit.dead ? h("p", {}, "Never active on these pictures.") : h("p", {}, `Active on ${M.percent(unit.share_active)} of the pictures, at most ${M.number(unit.max)}.`),
      unit.selectivity && h("p", {}, `Strongest for ${unit.selectivity.name}.`),
      M.histogram(unit.histogram));
  };

  const told = (layer) => {
    const sees = layer.receptive ? ` Each place sees ${layer.receptive[0]} pixels, one step every ${layer.receptive[1]}.` : "";
    const dead = layer.dead ? ` ${M.count(layer.dead, "unit")} stayed silent on these pictures.` : "";
    return `${layer.op}, ${layer.units} units of ${M.shape(layer.shape.slice(1))}.${sees}${dead} ${M.substrate(layer)}`;
  };

  const near = (meta) =>
    h("p", { class: "near" },
      meta.up.map(({ slug, name }) => h("a", { class: "mono", href: `#/layer/${slug}`, "data-key": "up" }, `← ${name}`)),
      meta.down.map(({ slug, name }) => h("a", { class: "mono", href: `#/layer/${slug}`, "data-key": "down" }, `${name} →`)));

  const filterBox = (view) =>
    h("label", { class: "filter" }, h("span", { class: "quiet" }, "Filter"),
      h("input", { type: "search", value: view.filter || "", placeholder: "number, class, dead", "data-testid": "filter", "data-key": "filter",
        on: { input: (event) => M.set({ filter: event.target.value }) } }));

  const missing = (layer) => [
    !layer.baseline_examples && M.empty("The example patches of this layer have not been built.", M.command("examples", layer.slug)),
    layer.baseline_examples && !M.iconShards(layer).length && M.empty("No unit of this layer has been visualised yet; the patches stand in.", M.command("icons", layer.slug)),
  ];

  /* What comes up again and again over all pictures: one row of patches for each group, and its units. */
  const overall = (state) => {
    const data = M.get(`overall/${state.slug}`);
    if (!data) return null;
    const patch = (group, n) => (row) =>
      M.sprite(h("span", { class: "tile", css: { "--s": "96px" }, role: "img", "aria-label": `Group ${n + 1}, ${row.image}: ${M.number(row.value)}` }), `data/layers/${state.slug}/overall.jpg`, row.cell, data.columns);
    const row = (group, n) =>
      h("li", {}, h("h3", {}, `${n + 1}`), h("div", { class: "patches" }, group.patches.map(patch(group, n))),
        h("div", { class: "links" }, group.units.slice(0, 4).map(([unit, weight]) => M.unitLink(state.slug, unit, weight, { size: 40 }))));
    return M.section("What comes up again and again",
      h("p", { class: "prose" }, `Places of ${M.count(data.pictures, "picture")} gathered into ${M.count(data.groups.length, "group")} of units that are active together, each shown by the places that hold most of it. Together they account for ${M.percent(data.explained)} of what was looked at; begun elsewhere, the groups are ${M.number(data.stability)} alike.`),
      h("ul", { class: "overall", "data-testid": "overall" }, data.groups.map(row)));
  };

  M.page("layer", {
    title: (state) => M.nameOf(state.slug),
    needs: (state) => [`layer/${state.slug}`, ...((M.site().overall || []).includes(state.slug) ? [`overall/${state.slug}`] : [])],
    structure: ["sort"],
    build(state, main) {
      const meta = M.get(`layer/${state.slug}`);
      const layer = M.layer(state.slug);
      if (!meta) return void main.append(M.head(layer.name, "", { mono: true }), M.empty("The units of this layer have not been built.", M.command("examples", layer.slug)));
      const sort = state.q.sort in SORTS ? state.q.sort : "max";
      const list = h("ul", { class: "units", "data-rove": "", "data-testid": "units" });
      const aside = h("aside", { class: "closer", "aria-hidden": "true" });
      const look = (event) => {
        const link = event.target.closest("[data-unit]");
        if (link) closer(state.slug, meta.units[Number(link.dataset.unit)], aside);
      };
      list.addEventListener("pointerover", look);
      list.addEventListener("focusin", look);
      const count = h("p", { class: "quiet", role: "status", "data-testid": "count" });
      main.append(M.head(layer.name, told(layer), { mono: true, above: near(meta) }),
        h("div", { class: "controls" }, M.choice("Sort by", "sort", Object.entries(SORTS).map(([key, [text]]) => [key, text]), sort), filterBox(state.q), count),
        ...missing(layer).filter(Boolean), h("div", { class: "unitsheet" }, list, aside),
        overall(state) || "");
      closer(state.slug, shown([...meta.units], { sort })[0], aside);
      return (view) => {
        const units = shown([...meta.units], view);
        M.each(list, units, (unit) => unit.n, (unit) => unitTile(state.slug, unit),
          (node, unit) => (node.querySelector(".value").textContent = figureOf(unit, view.sort)));
        count.textContent = units.length === meta.units.length ? M.count(units.length, "unit") : `${units.length} of ${M.count(meta.units.length, "unit")}`;
        M.rove(main);
      };
    },
  });
})();
