"use strict";
/* The unit page: what one unit looks for, with the pictures that excite it, those that do so a little, and what it serves. */
(() => {
  const { h, s } = M;

  const KINDS = { top: "strongest", spread: "across its range", bottom: "weakest" };

  const boxOf = ([top, left, bottom, right]) => [
    s("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "under" }),
    s("rect", { x: left, y: top, width: right - left, height: bottom - top }),
  ];

  const example = (slug, shard, sheet, row) =>
    h("li", { class: "example" },
      h("div", { class: "cut" },
        M.sprite(h("span", { class: "tile", css: { "--s": "132px" }, role: "img", "aria-label": `${row.image}, taken for ${row.label}` }), `data/layers/${slug}/examples-${shard}.jpg`, row.cell, sheet.columns),
        s("svg", { class: "outline", viewBox: "0 0 1 1", "aria-hidden": "true" }, row.box && boxOf(row.box), row.peak && s("circle", { cx: row.peak[1], cy: row.peak[0], r: 0.025 }))),
      h("p", {}, h("b", {}, M.number(row.value)), " ", h("span", { class: "quiet" }, row.quantile === undefined ? "" : `q ${Number(row.quantile).toFixed(2)}`)),
      h("p", { class: "quiet clip" }, row.label));

  const examples = (state, tab) => {
    const shard = Math.floor(state.unit / 32);
    const sheet = M.get(`examples/${state.slug}/${shard}`);
    const rows = sheet && sheet.units[state.unit] && sheet.units[state.unit][tab];
    if (!rows || !rows.length) return M.empty("There are no example pictures for this unit.", M.command("examples", state.slug));
    return h("ul", { class: "examples", "data-testid": `examples-${tab}` }, rows.map((row) => example(state.slug, shard, sheet, row)));
  };

  const iconCell = (icon, cell, size, text) =>
    h("figure", { class: "icon" },
      M.sprite(h("span", { class: "tile", css: { "--s": `${size}px` }, role: "img", "aria-label": text }), icon.url, cell, icon.columns), h("figcaption", {}, text));

  const icons = (state, unit, layer) => {
    const icon = M.icon(state.slug, state.unit);
    if (unit.dead) return M.empty("This unit was never active on the pictures, so there is nothing to show.");
    if (!icon)
      return [h("figure", { class: "icon" }, M.tile(state.slug, state.unit, { size: 256, patches: true }), h("figcaption", {}, "The patch that excites it most")),
        M.empty("This unit has not been visualised yet.", M.command("icons", layer.slug)), M.site().gradient ? null : variants(state)];
    if (icon.dead) return M.empty("The visualisation found no picture that wakes this unit; its patches below are what is known of it.");
    return [iconCell(icon, icon.cell, 256, "Visualisation"),
      variants(state), M.badges(icon.badges), M.recipe(icon.recipe)];
  };

  const wishOf = (state, kind, picture) => ({ kind, layer: state.slug, units: [state.unit], ...(picture ? { picture } : {}) });

  /* The unit's opposite, and several pictures of it that differ. */
  const variants = (state) => {
    const [opposite, facets] = ["negative", "diversity"].map((kind) => M.rendered(wishOf(state, kind)));
    const lacking = ["negative", "diversity"].map((kind) => wishOf(state, kind)).filter((wish) => !M.rendered(wish));
    return [h("div", { class: "iconrow" },
      opposite && M.rendering(opposite, "Its opposite", { width: 124 }),
      facets && h("figure", { class: "icon" },
        h("div", { class: "four" }, facets.pictures.map((file) => h("img", { src: encodeURI(file), width: 60, height: 60, alt: "" }))),
        h("figcaption", {}, "Four that differ"))),
    lacking.length > 0 && M.wanting("Its opposite and the facets of what excites it have not all been rendered.", M.command("variants", state.slug, state.unit), lacking)];
  };

  /* A picture as it is, and changed until the unit answers more. */
  const accentuated = (state) => {
    const images = M.site().images;
    if (!images.length || M.site().gradient) return null;
    const done = images.filter((image) => M.rendered(wishOf(state, "accentuate", image.id)));
    const image = images.find(({ id }) => id === state.q.picture) || done[0] || images[0];
    const found = M.rendered(wishOf(state, "accentuate", image.id));
    return M.section("A picture changed until the unit answers more",
      M.choice("Picture", "picture", images.map(({ id, file }) => [id, file]), image.id),
      found ? h("div", { class: "pairof", "data-testid": "accentuated" },
        h("figure", { class: "rendering" }, h("img", { src: `data/images/${encodeURI(image.id)}/image.jpg`, width: found.width, height: found.height, alt: image.file }), h("figcaption", {}, "As it is")),
        M.rendering(found, "Changed by small steps"))
        : M.wanting("This picture has not been changed for this unit yet.", M.command("variants", state.slug, state.unit), [wishOf(state, "accentuate", image.id)]));
  };

  const neighbours = (state, meta) => {
    const rows = (meta.neighbours || {})[state.unit] || {};
    const row = (title, list) => list && list.length
      ? h("div", {}, h("h3", {}, title), h("div", { class: "links", "data-rove": "" }, list.slice(0, 6).map(([slug, n, value]) => M.layer(slug) && M.unitLink(slug, n, value))))
      : null;
    const found = [row("Fed most by", rows.up), row("Feeds most", rows.down)].filter(Boolean);
    return found.length ? M.section("Its neighbours", h("div", { class: "two" }, found)) : null;
  };

  const serves = (unit) =>
    unit.supports.length
      ? M.section("Classes it supports", h("ul", { class: "rows" }, unit.supports.map((row) => h("li", {}, h("span", { class: "name" }, row.name), M.bar(row.value, Math.max(...unit.supports.map((r) => Math.abs(r.value))), { signed: true })))))
      : null;

  const inPictures = (state) => {
    const images = M.site().images.filter((image) => image.layers.includes(state.slug));
    return images.length
      ? M.section("See it in your pictures", h("nav", { class: "strip", "aria-label": "Pictures with this unit" }, images.map((image) =>
          h("a", { href: `#/image/${image.id}?layer=${state.slug}&channel=${state.slug}:${state.unit}` }, h("img", { src: `data/images/${encodeURI(image.id)}/thumb.jpg`, width: 64, height: 64, alt: image.file })))))
      : null;
  };

  const head = (state, layer, unit) => {
    const beside = (n, text, key) => n >= 0 && n < layer.units && h("a", { href: M.unitHref(state.slug, n), "data-key": key }, text);
    const above = h("p", { class: "near" }, h("a", { class: "mono", href: `#/layer/${state.slug}`, "data-testid": "back" }, layer.name), beside(state.unit - 1, "← previous", "previous"), beside(state.unit + 1, "next →", "next"));
    const lead = unit.dead
      ? "Not once active on the example pictures."
      : `Active on ${M.percent(unit.share_active)} of the pictures; its strongest answer to one is ${M.number(unit.mean)} on average and ${M.number(unit.max)} at most.${unit.selectivity ? ` Strongest for ${unit.selectivity.name}.` : ""}`;
    return M.head(`Unit ${state.unit}`, lead, { above });
  };

  M.page("unit", {
    title: (state) => M.unitName(state.slug, state.unit),
    needs(state) {
      const layer = M.layer(state.slug);
      const shard = Math.floor(state.unit / 32);
      return ["renders", `layer/${state.slug}`, layer.baseline_examples && `examples/${state.slug}/${shard}`, M.iconShards(layer).includes(shard) && `icons/${state.slug}/${shard}`].filter(Boolean);
    },
    structure: ["tab", "picture"],
    build(state, main) {
      const layer = M.layer(state.slug);
      const meta = M.get(`layer/${state.slug}`);
      const unit = meta && meta.units[state.unit];
      if (!unit) return void main.append(M.head(`Unit ${state.unit}`), M.empty("The units of this layer have not been built.", M.command("examples", layer.slug)));
      const tab = state.q.tab in KINDS ? state.q.tab : "top";
      const sheet = M.get(`examples/${state.slug}/${Math.floor(state.unit / 32)}`);
      const spread = ((sheet && sheet.units[state.unit]) || {}).spread || [];
      main.append(head(state, layer, unit),
        h("div", { class: "unitpage" },
          h("div", { class: "icons", "data-testid": "icons" }, icons(state, unit, layer)),
          h("div", {},
            M.section("Pictures that excite it", M.choice("Show the", "tab", Object.entries(KINDS), tab), examples(state, tab)),
            M.section("How strongly it answers", M.histogram(unit.histogram, spread.map((row) => row.value)), h("p", { class: "quiet" }, "Heights grow with the square root of the count. Ticks mark the examples across its range.")),
            serves(unit), neighbours(state, meta), inPictures(state), accentuated(state))));
    },
  });
})();
