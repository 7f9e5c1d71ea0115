"use strict";
/* Groups across layers: a column of groups per layer and one of classes, joined by how much each moves the next. */
(() => {
  const { h, s } = M;
  const [ROW, GAP, NODE] = [46, 12, 132];

  /* A curve from one node to another; the thickness is the share of the largest influence. */
  const curve = (from, to, value, most) => {
    const [x, u] = [from.x + NODE, to.x];
    const path = `M${x} ${from.y} C${(x + u) / 2} ${from.y} ${(x + u) / 2} ${to.y} ${u} ${to.y}`;
    return s("path", { d: path, class: value < 0 ? "against" : "for", "stroke-width": Math.max(0.75, (18 * Math.abs(value)) / most), "data-link": `${from.key} ${to.key}` });
  };

  const placed = (columns, width) => {
    const nodes = new Map();
    const tallest = Math.max(...columns.map((column) => column.nodes.length));
    columns.forEach((column, c) => {
      const x = columns.length > 1 ? (c * (width - NODE)) / (columns.length - 1) : 0;
      const top = ((tallest - column.nodes.length) * (ROW + GAP)) / 2;
      column.nodes.forEach((node, n) => nodes.set(node.key, { ...node, x, y: top + n * (ROW + GAP) + ROW / 2 + 28 }));
    });
    return { nodes, height: tallest * (ROW + GAP) + 28 };
  };

  const box = (node) =>
    h("button", { class: "sankeynode", css: { left: `${node.x}px`, top: `${node.y - ROW / 2}px`, width: `${NODE}px`, height: `${ROW}px` }, pin: node.pin, "aria-label": node.label, "data-testid": `node-${node.key}` },
      node.swatch, h("span", { class: "name" }, node.text), h("b", { class: "value" }));

  /* columns: [{title, nodes: [{key, pin, text, label, swatch}]}]; links: [[from key, to key, value]].
     The figure's mark(key) shows what one node takes and gives; without a key all links are shown alike. */
  M.sankey = (columns, links, width) => {
    const { nodes, height } = placed(columns, width);
    const known = links.filter(([a, b, value]) => nodes.has(a) && nodes.has(b) && value);
    const most = Math.max(1e-12, ...known.map(([, , value]) => Math.abs(value)));
    const drawn = known.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2])).map(([a, b, value]) => ({ a, b, value, path: curve(nodes.get(a), nodes.get(b), value, most) }));
    const heads = columns.map((column) => s("text", { x: nodes.get(column.nodes[0].key).x, y: 13 }, column.title));
    const boxes = [...nodes.values()].map((node) => ({ key: node.key, node: box(node) }));
    const figure = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Groups across layers" },
      h("div", { class: "sankey", css: { width: `${width}px`, height: `${height}px` }, "data-rove": "", "data-testid": "sankey" },
        s("svg", { width, height, "aria-hidden": "true" }, drawn.map((link) => link.path), heads), boxes.map(({ node }) => node)));
    figure.mark = (key) => {
      for (const { a, b, path } of drawn) path.classList.toggle("faded", Boolean(key) && a !== key && b !== key);
      for (const { key: other, node } of boxes) {
        const link = key && drawn.find(({ a, b }) => (a === key && b === other) || (b === key && a === other));
        node.lastChild.textContent = link ? M.number(link.value, true) : "";
        node.classList.toggle("faded", Boolean(key) && !link && other !== key);
      }
    };
    return figure;
  };
})();
