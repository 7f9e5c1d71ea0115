"use strict";
/* The image page: which units see what at each place (semantic dictionary), and which units speak for each class. */
(() => {
  const { h } = M;

  const dataOf = (state, slug) => M.get(`image/${state.id}/${slug}`);
  const layersOf = (state) => M.image(state.id).layers.filter((slug) => dataOf(state, slug));
  const channelOf = (text) => {
    const at = text ? text.lastIndexOf(":") : -1;
    return at < 0 ? null : { slug: text.slice(0, at), n: Number(text.slice(at + 1)) };
  };

  const strongest = (data) => {
    const place = data.norms.indexOf(Math.max(...data.norms));
    return [Math.floor(place / data.grid[1]), place % data.grid[1]];
  };

  const cellLabel = (data) => (y, x) => {
    const best = data.cells[y * data.grid[1] + x][0];
    return `Row ${y + 1}, column ${x + 1}${best ? `: unit ${best[0]} at ${M.number(best[1])}` : ": no unit is active"}`;
  };

  /* What lights the picture, and the words below it: a unit's activation, else a class's attribution, else nothing. */
  const lightOf = (state, data, view) => {
    const channel = channelOf(view.channel);
    const source = channel && dataOf(state, channel.slug);
    if (source && source.maps[channel.n]) {
      const link = h("a", { href: M.unitHref(channel.slug, channel.n), "data-testid": "open-unit" }, "Open the unit");
      return { map: [M.maps.heat(source.maps[channel.n]), source.grid, {}], words: [`Where ${M.unitName(channel.slug, channel.n)} is active. `, link], scale: ["heat", "0", "its strongest"] };
    }
    if (source) return { words: [`${M.unitName(channel.slug, channel.n)} is not among the strongest in this picture, so its map was not kept.`] };
    const values = view.class !== undefined && spatialOf(data, view)[view.class];
    if (!values) return { words: ["Point at the picture to read what the units see there."] };
    const bound = M.bound(values);
    return { map: [M.maps.signed(values, bound), data.grid, { hues: false }], words: [`Places that speak for and against ${M.className(view.class)}, in ${data.name}.`], scale: ["signed", M.number(-bound), M.number(bound, true), "clipped at the 99.5th percentile"] };
  };

  const spatialOf = (data, view) => (view.mode === "linear" ? data.spatial_linear : data.spatial) || {};

  const entry = (slug, max) => ([n, value]) =>
    h("li", {},
      h("button", { class: "entry", pin: { channel: `${slug}:${n}` }, "aria-label": `${M.unitName(slug, n)}: ${M.number(value)}`, "data-testid": `entry-${n}` },
        M.tile(slug, n, { size: 88 }), h("span", { class: "column", css: { "--share": value / max } }), h("b", {}, M.number(value)), h("span", { class: "quiet" }, `unit ${n}`)));

  const formula = ([y, x], rows) => [
    h("i", {}, `a(${y + 1}, ${x + 1})`), " = ",
    rows.length ? rows.map(([n, value], k) => [k ? " + " : "", h("b", {}, M.number(value)), "·", `u${n}`]) : "0", rows.length ? " + …" : "",
  ];

  const dictionary = (slug, data, nodes, view) => {
    const cell = M.place(view.cell) || strongest(data);
    const rows = data.cells[cell[0] * data.grid[1] + cell[1]] || [];
    M.put(nodes.formula, formula(cell, rows));
    M.each(nodes.entries, rows, ([n, value]) => `${n} ${value}`, entry(slug, data.max));
    return cell;
  };

  /* Units of `slug` that take part in a kept unit: below it those that feed it, above it those it feeds most. */
  const related = (state, slug, kept) => {
    const order = M.image(state.id).layers;
    const before = order.indexOf(slug) < order.indexOf(kept.slug);
    const [from, to] = before ? [slug, kept.slug] : [kept.slug, slug];
    if (!(M.image(state.id).channels || []).some(([a, b]) => a === from && b === to)) return null;
    const found = M.want(`channels/${state.id}/${from}/${to}`, M.draw);
    if (!found) return [];
    if (before) return [...(found.units[kept.n] || [])].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const fed = Object.entries(found.units).map(([b, rows]) => [Number(b), (rows.find(([a]) => a === kept.n) || [0, 0])[1]]);
    return fed.filter(([, value]) => value).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 5);
  };

  const rowsOf = (state, slug, view) => {
    const data = dataOf(state, slug);
    const kept = channelOf(state.q.channel);
    const linked = kept && kept.slug !== slug ? related(state, slug, kept) : null;
    if (linked) return { rows: linked, most: Math.max(1e-12, ...linked.map(([, value]) => Math.abs(value))), linked: true };
    const all = ((data.channels || {})[view.class] || []).map(([n, path, linear]) => [n, view.mode === "linear" ? linear : path]);
    return { rows: all.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, 6), most: data.channel_max };
  };

  const chip = (slug) => ([n]) =>
    h("li", {}, h("button", { class: "chip", pin: { channel: `${slug}:${n}` }, "data-testid": `channel-${slug}-${n}` }, M.tile(slug, n, { size: 56 }), h("span", { class: "quiet" }, n), h("span", { class: "slot" })));

  const attribution = (state, nodes, view) => {
    const kept = channelOf(state.q.channel);
    for (const { slug, list, note } of nodes.rows) {
      const { rows, most, linked } = rowsOf(state, slug, view);
      const data = dataOf(state, slug);
      M.each(list, rows, ([n]) => n, chip(slug), (node, [n, value]) => {
        M.put(node.querySelector(".slot"), M.bar(value, most, { signed: true }));
        node.firstChild.setAttribute("aria-label", `${M.unitName(slug, n)}: ${M.number(value, true)}`);
      });
      const order = M.image(state.id).layers;
      const way = kept && order.indexOf(slug) < order.indexOf(kept.slug) ? "feeding it" : "it feeds";
      note.textContent = rows.length ? `${rows.length} of ${data.shape[0]}${linked ? `, ${way}` : ""}` : "none found";
    }
    nodes.title.textContent = kept ? `Units around ${M.unitName(kept.slug, kept.n)}` : `Units that speak for and against ${M.className(view.class)}`;
  };

  const classRows = (state, data, view) => {
    const channel = channelOf(view.channel);
    const source = channel && dataOf(state, channel.slug);
    const supported = source && source.classes_of && source.classes_of[channel.n];
    return data.classes.map(({ index, name }) => {
      const shown = M.image(state.id).predictions.find((row) => row.index === index);
      const hit = supported && supported.find(([k]) => k === index);
      return { index, name, value: supported ? (hit ? hit[2] : null) : shown ? shown.probability : 0 };
    });
  };

  const classes = (state, data, nodes, view) => {
    const supported = Boolean(channelOf(view.channel));
    const rows = classRows(state, data, view);
    M.classList(nodes.classes, rows, supported ? Math.max(1e-12, ...rows.map((row) => Math.abs(row.value))) : 1, { signed: supported });
    nodes.classTitle.textContent = supported ? "Classes this unit supports here" : "What the model answers";
  };

  const skeleton = (state, slug, data, main) => {
    const grid = M.grid(data.grid, "Places of the picture", (y, x) => ({ cell: `${y},${x}` }), cellLabel(data));
    const nodes = {
      picture: M.picture(M.image(state.id), { grid }), words: h("p", { class: "told", "data-testid": "told" }), scale: h("div", { class: "scaleslot" }),
      classes: h("ul", { class: "rows classes" }), classTitle: h("h2", {}), formula: h("p", { class: "formula mono", "data-testid": "formula" }),
      entries: h("ul", { class: "entries", "data-rove": "", "data-testid": "entries" }), title: h("h2", { "data-testid": "channels-title" }),
      sums: h("p", { class: "quiet", "data-testid": "sums" }),
      rows: layersOf(state).toReversed().map((name) => ({ slug: name, list: h("ul", { class: "chips", "data-rove": "" }), note: h("span", { class: "quiet" }) })),
    };
    const layers = layersOf(state).map((name) => [name, M.nameOf(name), true]);
    main.append(M.pictureHead(state, "Every place of the picture is a mixture of units. Point at one to read it; then ask which units made the answer."),
      h("div", { class: "imagepage" },
        h("div", { class: "left" }, nodes.picture, nodes.words, nodes.scale, nodes.classTitle, nodes.classes),
        h("div", { class: "right" },
          h("section", {}, h("h2", {}, "What the units see here"), M.choice("In", "layer", layers, slug), nodes.formula, nodes.entries),
          h("section", {}, nodes.title, attributionBody(state, data, nodes)),
          M.badges(data.badges))));
    return nodes;
  };

  const attributionBody = (state, data, nodes) => {
    if (M.site().gradient || !Object.keys(data.channels || {}).length)
      return M.empty(M.site().gradient || "This layer has no attribution: the gradient does not reach it.", M.command("gradient"));
    const mode = state.q.mode === "linear" ? "linear" : "path";
    return [M.choice("Attribution", "mode", [["path", "along a path"], ["linear", "linear"]], mode),
      h("dl", { class: "attribution", "data-testid": "attribution" }, nodes.rows.map(({ slug, list, note }) => h("div", {}, h("dt", {}, h("a", { class: "mono", href: `#/layer/${slug}` }, M.nameOf(slug)), note), h("dd", {}, list)))), nodes.sums];
  };

  M.page("image", {
    title: (state) => M.image(state.id).file,
    needs: (state) => M.image(state.id).layers.map((slug) => `image/${state.id}/${slug}`),
    structure: ["layer", "mode"],
    pins: ["cell", "channel", "class"],
    build(state, main) {
      const layers = layersOf(state);
      const slug = layers.includes(state.q.layer) ? state.q.layer : layers[layers.length - 1];
      if (!slug) return void main.append(M.pictureHead(state), M.empty("No layer has been looked at with this picture yet.", M.command("images")));
      const data = { ...dataOf(state, slug), name: M.nameOf(slug) };
      const nodes = skeleton(state, slug, data, main);
      return (view) => {
        const now = M.state();
        const asked = { ...view, class: view.class === undefined ? String(data.classes[0].index) : view.class };
        const cell = dictionary(slug, data, nodes, view);
        attribution(now, nodes, asked);
        classes(now, data, nodes, view);
        const { map, words, scale } = lightOf(now, data, view);
        nodes.picture.light(...(map || [null]));
        nodes.picture.outline(cell, data.grid);
        M.say(nodes.words, words);
        M.put(nodes.scale, scale ? M.scale(...scale) : null);
        nodes.sums.textContent = M.sum((data.totals || {})[asked.class]);
        M.rove(main);
      };
    },
  });
})();
