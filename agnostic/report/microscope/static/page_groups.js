"use strict";
/* The groups page: units that are active together, what each group does to the classes, and groups across layers. */
(() => {
  const { h } = M;

  const dataOf = (state, slug) => M.get(`groups/${state.id}/${slug}`);
  const layersOf = (state) => M.image(state.id).groups.filter((slug) => dataOf(state, slug));
  const gridOf = (state, slug, map) => {
    const [, rows, columns] = M.layer(slug).shape;
    return rows * columns === map.length ? [rows, columns] : [1, map.length];
  };
  const keyOf = (slug, count, n) => `${slug}:${count}:${n}`;
  const groupOf = (state, text) => {
    const parts = text ? text.split(":") : [];
    const data = parts.length === 3 && dataOf(state, parts[0]);
    const choice = data && data.choices[parts[1]];
    const group = choice && choice.groups[Number(parts[2])];
    return group ? { slug: parts[0], count: parts[1], n: Number(parts[2]), group } : null;
  };

  const wishOf = (state, slug, count) => ({ kind: "groups", layer: slug, units: [count], picture: state.id });

  /* Two ways to see a group on the picture, where it has been raised; else how to have it done. */
  const showing = (state, slug, data, count) => {
    if (M.rendered(wishOf(state, slug, count)))
      return M.choice("On the picture", "show", [["dream", "what a group sees"], ["map", "where it fires"]], state.q.show === "map" ? "map" : "dream");
    if (count !== data.default || M.site().gradient) return null;
    return M.wanting("These groups have not been raised on the picture.", M.command("dreams", slug), [wishOf(state, slug, count)]);
  };

  const colourOf = (group) => M.groupColour(group.hue);
  const swatch = (group) => h("i", { class: "swatch", css: { background: M.css(colourOf(group)) } });

  /* A group's own picture: its visualisation, else the place of the picture where it is strongest. */
  const portrait = (state, slug, group, size) => {
    const data = dataOf(state, slug);
    const node = h("span", { class: "tile", css: { "--s": `${size}px`, "border-bottom": `4px solid ${M.css(colourOf(group))}` }, "aria-hidden": "true" });
    if (group.icon !== null && data.sprite) return M.sprite(node, `data/images/${state.id}/${data.sprite}`, group.icon, data.sprite_columns || 8);
    const [rows, columns] = gridOf(state, slug, group.map);
    const wide = Math.max(3, columns / 4);
    node.style.backgroundImage = `url("data/images/${encodeURI(state.id)}/image.jpg")`;
    node.style.backgroundSize = `${(100 * columns) / wide}% auto`;
    const along = (at, count) => `${Math.min(100, Math.max(0, (100 * (at + 0.5 - wide / 2)) / (count - wide)))}%`;
    node.style.backgroundPosition = `${along(group.peak[1], columns)} ${along(group.peak[0], rows)}`;
    return node;
  };

  const lit = (state, nodes, view, choice, slug) => {
    const chosen = groupOf(state, view.group);
    const groups = chosen ? [chosen.group] : choice.groups;
    const where = chosen ? chosen.slug : slug;
    const raised = chosen && view.show !== "map" && M.rendered(wishOf(state, chosen.slug, Number(chosen.count)));
    nodes.picture.dream(raised ? encodeURI(raised.pictures[chosen.n]) : null);
    nodes.picture.light(M.maps.tints(groups.map((group) => group.map), groups.map(colourOf)), gridOf(state, where, groups[0].map));
    const mixed = mixture(state, view, choice, slug);
    nodes.told.textContent = mixed || (chosen ? `Group ${chosen.n + 1} of ${chosen.count} in ${M.nameOf(chosen.slug)}${raised ? ", raised where it fires" : ""}` : `All ${choice.groups.length} groups of ${M.nameOf(slug)}, each in its own hue.`);
  };

  /* How much of every group there is at one place, as shares. */
  const sharesAt = (view, choice, columns) => {
    const place = M.place(view.cell);
    if (!place) return null;
    const values = choice.groups.map((group) => Math.max(0, group.map[place[0] * columns + place[1]]));
    const total = values.reduce((a, b) => a + b, 0) || 1;
    return values.map((value) => value / total);
  };

  const mixture = (state, view, choice, slug) => {
    const shares = sharesAt(view, choice, gridOf(state, slug, choice.groups[0].map)[1]);
    if (!shares) return "";
    const told = shares.map((share, n) => [share, n]).filter(([share]) => share >= 0.1).sort((a, b) => b[0] - a[0]);
    return `Here: ${told.map(([share, n]) => `${M.percent(share)} group ${n + 1}`).join(", ") || "no group"}.`;
  };

  const card = (state, slug, count) => ({ group, n }) =>
    h("li", {},
      h("button", { class: "group", pin: { group: keyOf(slug, count, n) }, "data-testid": `group-${n}`, "aria-label": `Group ${n + 1}` },
        portrait(state, slug, group, 80), h("span", { class: "grouptext" }, h("b", {}, `Group ${n + 1}`), h("span", { class: "quiet share" }))),
      h("div", { class: "links" }, group.channels.slice(0, 3).map(([c]) => M.unitLink(slug, c, null, { size: 36 }))));

  const effects = (state, choice) => {
    const rows = (choice.groups[0].to_classes || []).map(([index, name], k) => ({ index, name, values: choice.groups.map((group) => group.to_classes[k][2]) }));
    if (!rows.length) return M.empty(M.site().gradient || "The effect of these groups on the classes is not known.", M.command("gradient"));
    const most = Math.max(1e-12, ...rows.flatMap((row) => row.values.map(Math.abs)));
    const cell = (value) => h("td", { class: `effect ${value < 0 ? "against" : "for"}`, css: { "--share": Math.min(1, Math.abs(value) / most) } }, M.number(value, true));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Effects of groups on classes" },
      h("table", { class: "effects", "data-testid": "effects" },
        h("thead", {}, h("tr", {}, h("td", {}), choice.groups.map((group, n) => h("th", { scope: "col" }, swatch(group), ` ${n + 1}`)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, row.name), row.values.map(cell))))));
  };

  const slider = (state, data, count) => {
    const counts = Object.keys(data.choices).map(Number).sort((a, b) => a - b);
    const output = h("output", {}, M.count(count, "group"));
    const input = h("input", { type: "range", min: 0, max: counts.length - 1, step: 1, value: counts.indexOf(count), "aria-label": "Number of groups", "aria-valuetext": M.count(count, "group"), "data-testid": "slider", "data-key": "slider",
      on: { input: (event) => M.set({ n: counts[Number(event.target.value)], group: null }) } });
    return h("label", { class: "slider" }, h("span", { class: "quiet" }, "How many"), input, output);
  };

  /* All layers with groups as columns, then the classes. */
  const across = (state) => {
    const layers = layersOf(state);
    const columns = layers.map((slug) => {
      const { choices, default: count } = dataOf(state, slug);
      const nodes = choices[count].groups.map((group, n) => ({ key: keyOf(slug, count, n), pin: { group: keyOf(slug, count, n) }, text: `${n + 1}`, label: `${M.nameOf(slug)}, group ${n + 1}`, swatch: portrait(state, slug, group, 40) }));
      return { title: M.nameOf(slug), wide: 44, nodes };
    });
    const last = layers[layers.length - 1];
    const final = dataOf(state, last).choices[dataOf(state, last).default];
    const classes = final.groups[0].to_classes.map(([index, name]) => ({ key: `class ${index}`, pin: { class: String(index) }, text: name, label: name, swatch: null }));
    const links = layers.slice(0, -1).flatMap((slug, k) => {
      const [data, next] = [dataOf(state, slug), layers[k + 1]];
      return ((data.links || {})[next] || []).map(([i, j, value]) => [keyOf(slug, data.default, i), keyOf(next, dataOf(state, next).default, j), value]);
    });
    const out = final.groups.flatMap((group, i) => group.to_classes.map(([index, , value]) => [keyOf(last, dataOf(state, last).default, i), `class ${index}`, value]));
    return M.sankey(classes.length ? [...columns, { title: "classes", wide: 150, nodes: classes }] : columns, [...links, ...out], Math.max(640, Math.min(1132, M.main.clientWidth - 48)));
  };

  M.page("groups", {
    title: (state) => `Groups of ${M.image(state.id).file}`,
    needs: (state) => ["renders", ...M.image(state.id).groups.map((slug) => `groups/${state.id}/${slug}`)],
    structure: ["layer", "n", "show"],
    pins: ["group", "cell", "class"],
    build(state, main) {
      const layers = layersOf(state);
      main.append(M.pictureHead(state, "Units that are active together are gathered into groups, so that a whole layer can be read at once. Change how many there are; point at a group to see where it lives."));
      if (!layers.length) return void main.append(M.empty("No groups have been made for this picture.", M.command("groups")));
      const slug = layers.includes(state.q.layer) ? state.q.layer : layers[layers.length - 1];
      const data = dataOf(state, slug);
      const count = data.choices[state.q.n] ? Number(state.q.n) : data.default;
      const choice = data.choices[count];
      const grid = gridOf(state, slug, choice.groups[0].map);
      const nodes = {
        picture: M.picture(M.image(state.id), { grid: M.grid(grid, "Places of the picture", (y, x) => ({ cell: `${y},${x}` }), (y, x) => `Row ${y + 1}, column ${x + 1}`) }),
        told: h("p", { class: "told", role: "status", "data-testid": "told" }), list: h("ul", { class: "groups", "data-rove": "" }), sankey: across(state),
      };
      main.append(h("div", { class: "imagepage" },
        h("div", { class: "left" }, nodes.picture, nodes.told),
        h("div", { class: "right" },
          h("div", { class: "controls" }, M.choice("In", "layer", layers.map((name) => [name, M.nameOf(name), true]), slug), slider(state, data, count)),
          showing(state, slug, data, count), nodes.list, h("p", { class: "quiet" }, `Together they hold ${M.percent(choice.explained)} of the layer's activation.`), M.badges(choice.badges))),
      M.section("What each group does to the classes", effects(state, choice)),
      M.section("Groups across layers", h("p", { class: "prose" }, "A line is as thick as one group moves the next, among all lines between two columns: full lines speak for, dashed lines against."), nodes.sankey));
      const cards = choice.groups.map((group, n) => ({ group, n }));
      M.each(nodes.list, cards, ({ n }) => n, card(state, slug, count));
      return (view) => {
        lit(state, nodes, view, choice, slug);
        nodes.picture.outline(M.place(view.cell), grid);
        const shares = sharesAt(view, choice, grid[1]);
        [...nodes.list.children].forEach((node, n) => {
          node.style.opacity = shares ? 0.3 + 0.7 * shares[n] : 1;
          node.querySelector(".share").textContent = shares ? M.percent(shares[n]) : "";
        });
        nodes.sankey.mark(view.group || (view.class === undefined ? null : `class ${view.class}`));
        M.rove(main);
      };
    },
  });
})();
