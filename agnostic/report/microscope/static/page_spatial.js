"use strict";
/* The places page: every layer as a grid whose cells are as large as its activations are strong; pointing at a cell
   shows what influences it in earlier layers, what it influences in later ones, and the classes it speaks for. */
(() => {
  const { h } = M;
  const MOST = 4;

  const layersOf = (state) => M.image(state.id).layers.filter((slug) => M.get(`image/${state.id}/${slug}`)).slice(-MOST);
  const cellOf = (text) => {
    const at = text ? text.lastIndexOf(":") : -1;
    return at < 0 ? null : { slug: text.slice(0, at), place: M.place(text.slice(at + 1)) };
  };

  /* Each cell a square of the picture (or of the rendered grid) whose area is its share of the largest activation. */
  const paintCells = (canvas, image, data) => {
    const [rows, columns] = data.grid;
    const side = canvas.width / columns;
    const tall = canvas.height / rows;
    const context = canvas.getContext("2d");
    const [w, t] = [image.naturalWidth / columns, image.naturalHeight / rows];
    data.norms.forEach((norm, n) => {
      const [y, x, size] = [Math.floor(n / columns), n % columns, Math.sqrt(Math.min(1, norm))];
      const edge = (1 - size) / 2;
      context.drawImage(image, x * w, y * t, w, t, (x + edge) * side, (y + edge) * tall, size * side, size * tall);
    });
  };

  const loaded = (src, then) => {
    const image = new Image();
    image.onload = () => then(image);
    image.src = src;
    return image;
  };

  const tiles = new Map();
  const tileOf = (id, a, b) => {
    const key = `data/images/${encodeURI(id)}/${encodeURI(a)}__${encodeURI(b)}.png`;
    if (!tiles.has(key)) tiles.set(key, loaded(key, M.draw));
    const image = tiles.get(key);
    return image.complete && image.naturalWidth ? image : null;
  };

  /* What influences one place of B in layer A: the tile of that place. */
  const paintInfluences = (context, tile, [y, x], [rows, columns]) =>
    context.drawImage(tile, x * columns, y * rows, columns, rows, 0, 0, columns, rows);

  /* What one place of A influences in B: that place's pixel of every tile, weighted by the tile's own scale. */
  const paintInfluenced = (context, tile, [y, x], from, [rows, columns], scales) => {
    const most = scales && scales.length ? Math.max(...scales) : 0;
    for (let v = 0; v < rows; v++) {
      for (let u = 0; u < columns; u++) {
        context.globalAlpha = most > 0 ? scales[v * columns + u] / most : 1;
        context.drawImage(tile, u * from[1] + x, v * from[0] + y, 1, 1, u, v, 1, 1);
      }
    }
    context.globalAlpha = 1;
  };

  const greys = (context, values, [, columns]) => {
    const most = Math.max(1e-12, ...values);
    values.forEach((value, n) => {
      const grey = Math.round(255 * Math.max(0, value / most) ** 0.7);
      context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
      context.fillRect(n % columns, Math.floor(n / columns), 1, 1);
    });
  };

  /* Cover what takes no part: black where the mask is black, turned into paper by the style sheet. */
  const mask = (panel, paint) => {
    panel.mask.classList.toggle("shown", Boolean(paint));
    if (!paint) return;
    const context = panel.mask.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, panel.mask.width, panel.mask.height);
    paint(context);
  };

  const factorColours = [M.groupColour(110), M.groupColour(300)];

  const makePanel = (state, slug) => {
    const data = M.get(`image/${state.id}/${slug}`);
    const image = M.image(state.id);
    const [rows, columns] = data.grid;
    const name = M.nameOf(slug);
    const cells = h("canvas", { width: 480, height: Math.round((480 * image.height) / image.width), class: "cells", "data-testid": `grid-${slug}` });
    const panel = {
      slug, data, head: h("p", { class: "role", "data-testid": `role-${slug}` }), outline: M.outline(), factors: h("ul", { class: "factors" }),
      mask: h("canvas", { width: columns, height: rows, class: "mask", "aria-hidden": "true", "data-testid": `mask-${slug}` }),
    };
    const label = (y, x) => `${name}, row ${y + 1}, column ${x + 1}, strength ${M.percent(data.norms[y * columns + x])}`;
    const sprite = data.grid_sprite ? data.grid_sprite : "image.jpg";
    loaded(`data/images/${encodeURI(state.id)}/${encodeURI(sprite)}`, (source) => paintCells(cells, source, data));
    panel.node = h("figure", { class: "layerpanel" }, panel.head, h("div", { class: "picture plain", css: { "aspect-ratio": `${image.width} / ${image.height}` } }, cells, panel.mask,
      M.grid(data.grid, `Places of ${name}`, (y, x) => ({ cell: `${slug}:${y},${x}` }), label), panel.outline),
    h("figcaption", {}, h("a", { class: "mono", href: `#/layer/${slug}` }, name), h("span", { class: "quiet" }, ` ${M.shape(data.shape)}`)), panel.factors);
    if (data.nmf && data.nmf.maps) fillFactors(panel);
    return panel;
  };

  const fillFactors = ({ slug, data, factors }) =>
    M.put(factors, data.nmf.maps.map((_, n) => {
      const effects = data.nmf.to_classes[n] || [];
      const best = effects.indexOf(Math.max(...effects));
      const name = best >= 0 && data.classes[best] ? data.classes[best].name : "";
      return h("li", {}, h("button", { class: "factor", pin: { factor: `${slug}:${n}` }, "data-testid": `factor-${slug}-${n}` },
        h("i", { class: "swatch", css: { background: M.css(factorColours[n % 2]) } }), h("span", {}, `${n + 1}`), h("span", { class: "quiet" }, `most for ${name}`)));
    }));

  const roleOf = (panel, order, cell) => {
    if (!cell) return ["", ""];
    const [here, there] = [order.indexOf(panel.slug), order.indexOf(cell.slug)];
    return here < there ? ["Influences it", "before"] : here > there ? ["Influenced by it", "after"] : ["This place", "here"];
  };

  const maskOfCell = (state, panel, cell, role) => {
    const pair = role === "before" ? [panel.slug, cell.slug] : [cell.slug, panel.slug];
    if (role === "here" || !M.image(state.id).pairs.some(([a, b]) => a === pair[0] && b === pair[1])) return null;
    const tile = tileOf(state.id, ...pair);
    if (!tile) return null;
    if (role === "before") return (context) => paintInfluences(context, tile, cell.place, panel.data.grid);
    const from = M.get(`image/${state.id}/${cell.slug}`).grid;
    return (context) => paintInfluenced(context, tile, cell.place, from, panel.data.grid, (panel.data.between || {})[cell.slug]);
  };

  const valuesFor = (panel, view) => {
    const [slug, n] = (view.factor || "").split(/:(?=\d+$)/);
    if (slug) return slug === panel.slug ? panel.data.nmf.maps[Number(n)] : null;
    return view.class === undefined ? null : (panel.data.spatial || {})[view.class];
  };

  const drawPanel = (state, panel, order, view) => {
    const cell = cellOf(view.cell);
    const [text, role] = roleOf(panel, order, cell);
    panel.head.textContent = text;
    const values = cell ? null : valuesFor(panel, view);
    const paint = cell ? maskOfCell(state, panel, cell, role) : values ? (context) => greys(context, values, panel.data.grid) : null;
    mask(panel, paint);
    const grid = cell && M.get(`image/${state.id}/${cell.slug}`).grid;
    panel.outline.show(cell && cell.place, grid || [1, 1], role !== "here");
  };

  /* Classes with what the cell that is pointed at adds to each; without a cell, the model's answers. */
  const rowsOf = (state, view) => {
    const cell = cellOf(view.cell);
    const image = M.image(state.id);
    if (!cell) return image.predictions.map((row) => ({ index: row.index, name: row.name, value: row.probability }));
    const data = M.get(`image/${state.id}/${cell.slug}`);
    const at = cell.place[0] * data.grid[1] + cell.place[1];
    return data.classes.map(({ index, name }) => ({ index, name, value: ((data.spatial || {})[index] || [])[at] || 0 }));
  };

  const mostOf = (state, cell) => {
    const data = M.get(`image/${state.id}/${cell.slug}`);
    return Math.max(1e-12, ...Object.values(data.spatial || {}).flatMap((values) => values.map(Math.abs)));
  };

  const drawLegend = (state, nodes, view) => {
    const cell = cellOf(view.cell);
    nodes.title.textContent = cell ? "What this place adds to each class" : "What the model answers";
    M.classList(nodes.classes, rowsOf(state, view), cell ? mostOf(state, cell) : 1, { signed: Boolean(cell) });
    nodes.picture.outline(cell && cell.place, cell ? M.get(`image/${state.id}/${cell.slug}`).grid : [1, 1]);
    const values = !cell && view.class !== undefined && M.get(`image/${state.id}/${nodes.last}`);
    const map = values && (values.spatial || {})[view.class];
    nodes.picture.light(map ? M.maps.signed(map) : null, values ? values.grid : null, { hues: false });
  };

  M.page("spatial", {
    title: (state) => `Places of ${M.image(state.id).file}`,
    needs: (state) => M.image(state.id).layers.slice(-MOST).map((slug) => `image/${state.id}/${slug}`),
    pins: ["cell", "class", "factor"],
    build(state, main) {
      const order = layersOf(state);
      main.append(M.pictureHead(state, "Each grid is a layer; a cell is as large as its activation is strong. Point at a place to see what it takes from the layers before and gives to those after, or at a class to see the places that speak for it."));
      if (!order.length) return void main.append(M.empty("No layer has been looked at with this picture yet.", M.command("images")));
      const panels = order.map((slug) => makePanel(state, slug));
      const nodes = { picture: M.picture(M.image(state.id)), title: h("h2", { "data-testid": "legend-title" }), classes: h("ul", { class: "rows classes" }), last: order[order.length - 1] };
      main.append(h("div", { class: "spatialpage" },
        h("div", { class: "left" }, nodes.picture, nodes.title, nodes.classes, M.site().gradient && M.empty(M.site().gradient, M.command("gradient"))),
        h("div", { class: "panels" }, panels.map((panel) => panel.node))));
      const badges = M.badges(panels[panels.length - 1].data.badges);
      if (badges) main.append(badges);
      M.rove(main);
      return (view) => {
        drawLegend(M.state(), nodes, view);
        for (const panel of panels) drawPanel(M.state(), panel, order, view);
      };
    },
  });
})();
