"use strict";
/* The model page: its layers as stacked columns with the edges between them, its pictures, and a table of all layers. */
(() => {
  const { h, s } = M;
  const DEEPEST = 12;

  const blockOf = (node) => node.block || (node.shape.length > 1 ? node.shape.slice(1).join("×") : "vector");

  /* Nodes in columns: a block per column, a block that is too deep goes on in the next one. */
  const columnsOf = (nodes) => {
    const columns = [];
    let start = 0;
    const order = nodes.map((node, index) => ({ node, index })).sort((a, b) => a.node.column - b.node.column || a.node.row - b.node.row);
    for (const { node, index } of order) {
      const last = columns[columns.length - 1];
      const block = blockOf(node);
      if (!last || last.block !== block || node.column - start >= DEEPEST) {
        columns.push({ block, again: Boolean(last) && last.block === block, nodes: [] });
        start = node.column;
      }
      columns[columns.length - 1].nodes.push({ node, index, level: node.column - start });
    }
    return columns;
  };

  /* As wide as it has units: 22 px up to 32 units, 60 px from 512 on. */
  const widthOf = (node) => Math.min(60, Math.max(22, 9.5 * Math.log2(Math.max(4, node.width)) - 25.5));

  /* Where every node stands, [x, y, width] by its index, with the columns and the whole size; `by` enlarges the tiles. */
  const placed = (nodes, by) => {
    const wideOf = (node) => Math.round(by * widthOf(node));
    const [tile, step] = [Math.round(30 * by), Math.round(30 * by) + 14];
    const places = [];
    const heads = [];
    let x = 0;
    let deepest = 0;
    for (const column of columnsOf(nodes)) {
      const levels = grouped(column.nodes);
      const lengthOf = (row) => row.reduce((sum, { node }) => sum + wideOf(node) + 4, -4);
      const wide = Math.max(52, ...[...levels.values()].map(lengthOf));
      heads.push({ x, wide, text: column.again ? "…" : column.block });
      for (const [level, row] of levels) {
        let left = x + (wide - lengthOf(row)) / 2;
        for (const { node, index } of row) {
          places[index] = [left, 28 + level * step, wideOf(node)];
          left += wideOf(node) + 4;
        }
        deepest = Math.max(deepest, level);
      }
      x += wide + 16;
    }
    return { places, heads, tile, width: x - 16, height: 28 + deepest * step + tile + 10 };
  };

  const grouped = (entries) => {
    const levels = new Map();
    for (const entry of entries) levels.set(entry.level, [...(levels.get(entry.level) || []), entry]);
    return levels;
  };

  /* Down inside a column; into the next one through the gap that ends at `right`. */
  const curve = ([x, y, wide], [u, v, other], right, tile) => {
    const [a, b, low, gap] = [x + wide / 2, u + other / 2, y + tile, right - 8];
    if (v > y && u < right) return `M${a} ${low} C${a} ${low + 7} ${b} ${v - 7} ${b} ${v}`;
    const down = `M${a} ${low} V${low + 3} Q${a} ${low + 7} ${a + 4} ${low + 7} H${gap - 4} Q${gap} ${low + 7} ${gap} ${low + 3}`;
    return `${down} V${v - 3} Q${gap} ${v - 7} ${gap + 4} ${v - 7} H${b - 4} Q${b} ${v - 7} ${b} ${v - 3} V${v}`;
  };

  const described = (node) => {
    const layer = node.slug && M.layer(node.slug);
    return `${node.name} · ${node.op} · ${M.shape(node.shape)}${layer && layer.dead ? ` · ${layer.dead} dead` : ""}`;
  };

  const nodeTile = (node, [x, y, wide], tall, told) => {
    const style = { left: `${x}px`, top: `${y}px`, width: `${wide}px`, height: `${tall}px` };
    const tell = () => (told.textContent = described(node));
    if (!node.slug || !M.layer(node.slug)) return h("span", { class: "node", css: style, on: { pointerenter: tell } });
    const best = (M.get(`layer/${node.slug}`) || { units: [] }).units.reduce((a, b) => (b.share_active > 0 && b.max > (a ? a.max : 0) ? b : a), null);
    const tile = M.tile(node.slug, best ? best.n : 0, { size: Math.max(wide, tall) });
    return h("a", { class: "node", href: `#/layer/${node.slug}`, css: style, "aria-label": described(node), "data-testid": `node-${node.slug}`, on: { pointerenter: tell, focus: tell } }, tile);
  };

  const figure = ({ nodes, edges }) => {
    const natural = placed(nodes, 1).width;
    const { places, heads, tile, width, height } = placed(nodes, Math.min(1.8, Math.max(1, (M.main.clientWidth - 250) / (natural - 200))));
    const told = h("p", { class: "told", "aria-hidden": "true" }, "Each tile is a layer, as wide as it has units, shown by its strongest one.");
    const rightOf = ([x]) => {
      const head = heads.findLast((column) => x >= column.x - 1);
      return head.x + head.wide + 16;
    };
    const lines = edges.filter(([a, b]) => places[a] && places[b]).map(([a, b]) => s("path", { d: curve(places[a], places[b], rightOf(places[a]), tile) }));
    const names = heads.map(({ x, wide, text }) => s("text", { x: x + wide / 2, y: 13, "text-anchor": "middle" }, text.length > 9 ? `${text.slice(0, 8)}…` : text));
    return h("figure", { class: "graph", "data-testid": "graph" },
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The layers and how they are connected" },
        h("div", { class: "stage", css: { width: `${width}px`, height: `${height}px` }, "data-rove": "" },
          s("svg", { width, height, "aria-hidden": "true" }, lines, names),
          nodes.map((node, n) => nodeTile(node, places[n], tile, told)))),
      h("figcaption", {}, told));
  };

  const row = (layer) =>
    h("tr", {},
      h("th", { scope: "row" }, h("a", { class: "mono", href: `#/layer/${layer.slug}`, "data-testid": `layer-${layer.slug}` }, layer.name)),
      h("td", {}, layer.op),
      h("td", { class: "number" }, M.shape(layer.shape)),
      h("td", { class: "number" }, layer.units),
      h("td", { class: "number" }, layer.dead ? `${layer.dead}` : "–"),
      h("td", { class: "number" }, layer.complete_icons || "–"),
      h("td", { class: "number" }, layer.receptive ? `${layer.receptive[0]} px` : "–"),
      h("td", {}, layer.gradient ? "yes" : "no"));

  const HEADS = [["Layer"], ["Operation"], ["Shape", 1], ["Units", 1], ["Dead", 1], ["Visualised", 1], ["Sees", 1], ["Gradient"]];

  const table = (layers) =>
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All layers" },
      h("table", { class: "layers" }, h("thead", {}, h("tr", {}, HEADS.map(([text, number]) => h("th", { scope: "col", class: number ? "number" : null }, text)))),
        h("tbody", {}, layers.map(row))));

  const pictures = (images) =>
    images.length
      ? h("ul", { class: "pictures" }, images.map((image) =>
          h("li", {}, h("a", { href: `#/image/${image.id}`, "data-testid": `picture-${image.id}` },
            h("img", { src: `data/images/${encodeURI(image.id)}/image.jpg`, alt: "", width: 160, height: 160 }),
            h("span", {}, image.file),
            image.predictions[0] && h("span", { class: "quiet" }, `${image.predictions[0].name} ${M.percent(image.predictions[0].probability)}`)))))
      : M.empty("No pictures were given, so there are no pages on what the model sees in them.", M.command("images"));

  const lead = (site) => {
    const units = site.layers.reduce((sum, layer) => sum + layer.units, 0);
    return `${M.count(site.layers.length, "layer")} hold ${M.count(units, "unit")} and tell ${M.count(site.model.classes, "class", "classes")} apart. Choose a layer to see what its units look for, or a picture to see what the model makes of it.`;
  };

  const parity = (site) =>
    site.parity && M.badges([{ name: "parity", text: M.number(site.parity.largest), sentence: site.parity.sentence, level: "good" }]);

  M.page("model", {
    title: () => "Model",
    needs: () => M.site().layers.map((layer) => `layer/${layer.slug}`),
    build(state, main) {
      const site = M.site();
      const notes = [...site.model.inputs, ...site.model.outputs, ...site.model.notes];
      main.append(M.head(site.model.name, lead(site)), figure(site.graph));
      main.append(M.section("Pictures", pictures(site.images)), M.section("Layers", table(site.layers)));
      main.append(M.section("About this model", parity(site), site.gradient && M.empty(site.gradient, M.command("gradient")), h("ul", { class: "plain" }, notes.map((note) => h("li", {}, note)))));
    },
  });
})();
