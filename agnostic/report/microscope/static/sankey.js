"use strict";
/* Groups across layers: a column of groups per layer and one of classes, joined by how much each moves the next. */
(() => {
  const { h, s } = M;
  const [ROW, GAP, HEAD, THICKEST] = [46, 14, 28, 42];

  const placed = (columns, width) => {
    const nodes = new Map();
    const tallest = Math.max(...columns.map((column) => column.nodes.length));
    const room = width - columns[columns.length - 1].wide;
    columns.forEach((column, c) => {
      const x = columns.length > 1 ? (c * room) / (columns.length - 1) : 0;
      const top = HEAD + ((tallest - column.nodes.length) * (ROW + GAP)) / 2;
      column.nodes.forEach((node, n) => nodes.set(node.key, { ...node, x, y: top + n * (ROW + GAP), wide: column.wide, column: c }));
    });
    return { nodes, height: tallest * (ROW + GAP) + HEAD };
  };

  /* Links of one stage side by side at both ends; as thick as lets the fullest node still hold all of its own. */
  const stacked = (links, nodes) => {
    const totals = new Map();
    const add = (key, value) => totals.set(key, (totals.get(key) || 0) + value);
    for (const [a, b, value] of links) for (const key of [a, b]) add(key, Math.abs(value));
    const unit = THICKEST / Math.max(1e-12, ...totals.values());
    const used = new Map();
    const take = (key, thick) => {
      const start = used.get(key) ?? nodes.get(key).y + (ROW - unit * totals.get(key)) / 2;
      used.set(key, start + thick);
      return start + thick / 2;
    };
    const order = [...links].sort((p, q) => nodes.get(p[0]).y - nodes.get(q[0]).y || nodes.get(p[1]).y - nodes.get(q[1]).y);
    return order.map(([a, b, value]) => {
      const thick = unit * Math.abs(value);
      const [from, to] = [nodes.get(a), nodes.get(b)];
      return { a, b, value, path: curve(from.x + from.wide, take(a, thick), to.x - 8, take(b, thick), thick, value) };
    });
  };

  const curve = (x, y, u, v, thick, value) =>
    s("path", { d: `M${x} ${y} C${(x + u) / 2} ${y} ${(x + u) / 2} ${v} ${u} ${v}`, class: value < 0 ? "against" : "for", "stroke-width": Math.max(0.75, thick) });

  const box = (node) =>
    h("button", { class: "sankeynode", css: { left: `${node.x}px`, top: `${node.y}px`, width: `${node.wide}px`, height: `${ROW}px` }, pin: node.pin, "aria-label": node.label, "data-testid": `node-${node.key}` },
      node.swatch, h("span", { class: "name" }, node.text), h("b", { class: "value" }));

  /* columns: [{title, wide, nodes: [{key, pin, text, label, swatch}]}]; links: [[from key, to key, value]].
     The figure's mark(key) shows what one node takes and gives; without a key of its own all links are shown alike. */
  M.sankey = (columns, links, width) => {
    const { nodes, height } = placed(columns, width);
    const known = links.filter(([a, b, value]) => nodes.has(a) && nodes.has(b) && value);
    const stages = columns.map((_, c) => known.filter(([a]) => nodes.get(a).column === c));
    const drawn = stages.flatMap((stage) => stacked(stage, nodes));
    const heads = columns.map((column) => s("text", { x: nodes.get(column.nodes[0].key).x, y: 13 }, column.title));
    const boxes = [...nodes.values()].map((node) => ({ key: node.key, node: box(node) }));
    const figure = h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Groups across layers" },
      h("div", { class: "sankey", css: { width: `${width}px`, height: `${height}px` }, "data-rove": "", "data-testid": "sankey" },
        s("svg", { width, height, "aria-hidden": "true" }, drawn.map((link) => link.path), heads), boxes.map(({ node }) => node)));
    figure.mark = (asked) => {
      const key = nodes.has(asked) ? asked : null;
      for (const { a, b, path } of drawn) path.classList.toggle("faded", Boolean(key) && a !== key && b !== key);
      for (const { key: other, node } of boxes) {
        const link = key && drawn.find(({ a, b }) => (a === key && b === other) || (b === key && a === other));
        node.querySelector(".value").textContent = link ? M.number(link.value, true) : "";
        node.classList.toggle("faded", Boolean(key) && !link && other !== key);
      }
    };
    return figure;
  };
})();
