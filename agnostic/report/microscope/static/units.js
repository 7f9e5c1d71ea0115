"use strict";
/* How a unit is shown: its visualisation where there is one, else the picture patch that excites it most. */
(() => {
  const { h } = M;

  /* Put one cell of a sprite on an element; its size is the element's --s. */
  M.sprite = (node, url, cell, columns) => {
    node.style.setProperty("--x", cell % columns);
    node.style.setProperty("--y", Math.floor(cell / columns));
    node.style.setProperty("--columns", columns);
    node.style.backgroundImage = `url("${encodeURI(url)}")`;
    return node;
  };

  const shardOf = (n) => Math.floor(n / 32);

  const iconOf = (layer, n) => {
    if (!M.iconShards(layer).includes(shardOf(n))) return null;
    const shard = M.want(`icons/${layer.slug}/${shardOf(n)}`, M.refill);
    const icon = shard && shard.units[n];
    return icon ? { ...icon, url: `data/layers/${layer.slug}/icons-${shardOf(n)}.jpg`, columns: shard.columns } : null;
  };

  /* The icon of a unit with the sprite it lies in; null until there is one. */
  M.icon = (slug, n) => iconOf(M.layer(slug), n);

  const fill = (node) => {
    const [slug, n, patches] = node.unit;
    const layer = M.layer(slug);
    if (!layer) return;
    const meta = M.want(`layer/${slug}`, M.refill);
    const unit = meta && meta.units[n];
    const icon = patches ? null : iconOf(layer, n);
    if (unit && unit.color) node.style.backgroundColor = unit.color;
    node.classList.toggle("dead", Boolean(unit && unit.dead));
    if (icon && !icon.dead) M.sprite(node, icon.url, icon.cell, icon.columns);
    else if (unit && layer.baseline_examples) M.sprite(node, `data/layers/${slug}/top.jpg`, n, meta.columns);
    node.dataset.shows = icon ? "icon" : layer.baseline_examples ? "patch" : "nothing";
  };

  /* Bring every tile up to date with what has arrived since; sizes stay, so nothing moves. */
  M.refill = () => {
    for (const node of M.main.querySelectorAll(".tile[data-shows]")) fill(node);
  };

  /* A square with a unit's picture. */
  M.tile = (slug, n, { size = 64, patches = false } = {}) => {
    const node = h("span", { class: "tile", css: { "--s": `${size}px` }, "data-shows": "nothing", "aria-hidden": "true" });
    node.unit = [slug, n, patches];
    fill(node);
    return node;
  };

  M.unitName = (slug, n) => `${M.nameOf(slug)}, unit ${n}`;
  M.unitHref = (slug, n) => `#/layer/${slug}/unit/${n}`;

  /* A tile that leads to the unit's own page. */
  M.unitLink = (slug, n, value, { size = 56, signed = true } = {}) =>
    h("a", { class: "unitlink", href: M.unitHref(slug, n), "aria-label": `${M.unitName(slug, n)}${value === null ? "" : `: ${M.number(value, signed)}`}` },
      M.tile(slug, n, { size }), h("span", { class: "quiet" }, n), value !== null && h("span", {}, M.number(value, signed)));

  /* What the pictures of a layer's units are, as a sentence. */
  M.substrate = (layer) => {
    const count = M.iconShards(layer).length ? layer.complete_icons : 0;
    if (count >= layer.units) return "Every unit is shown by its visualisation.";
    if (count > 0) return `${count} of ${layer.units} units are shown by their visualisation, the rest by the patch that excites them most.`;
    return layer.baseline_examples ? "Units are shown by the patch that excites them most." : "There are no pictures of these units yet.";
  };
})();
