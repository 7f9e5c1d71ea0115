"use strict";
/* Samples: their classes and places, and how they are shown: as a picture, a text, a row, or by their number alone. */
(() => {
  const { h } = M;
  M.fileOf.samples = (shard) => `samples-${shard}`;
  M.fileOf.asked = (number) => `asked-${number}`;

  M.points = () => M.get("points");
  /* Whether what was predicted in each epoch is known, and not scores alone. */
  M.isRun = () => Boolean(M.points().predicted);
  M.className = (index) => (index < 0 ? "not seen" : M.site().classes[index] || `class ${index}`);

  /* What is kept of a sample; null where nothing is, undefined while it is loaded. */
  M.sample = (id, then = M.draw) => {
    const place = M.points().kept[id];
    if (place < 0) return null;
    const { shard } = M.site();
    const file = M.want(`samples/${Math.floor(place / shard)}`, then);
    return file && { ...file.rows[place % shard], sheet: `data/samples-${Math.floor(place / shard)}.jpg`, columns: file.columns };
  };

  M.sampleName = (id) => {
    const { names } = M.site();
    return names ? names[id] : `Sample ${Number(id).toLocaleString("en")}`;
  };

  const place = (node, url, cell, columns) => {
    node.style.setProperty("--x", cell % columns);
    node.style.setProperty("--y", Math.floor(cell / columns));
    node.style.setProperty("--columns", columns);
    node.style.backgroundImage = `url("${encodeURI(url)}")`;
    return node;
  };

  /* Draw what a person sees of a sample into a node of the class "what". */
  M.showIn = (node, held, id) => {
    const key = held ? `${held.sheet || ""}#${held.cell}#${held.text || ""}` : String(held);
    if (node.shows === key) return node;
    node.shows = key;
    node.className = "what";
    M.put(node);
    if (held && held.cell !== undefined) {
      node.classList.add("tile");
      node.style.backgroundColor = held.color;
      place(node, held.sheet, held.cell, held.columns);
    } else if (held && held.text !== undefined) {
      node.classList.add("words");
      node.append(held.text || "(empty)");
    } else if (held && held.values && held.values.length) {
      node.classList.add("row");
      M.put(node, held.values.map(([name, value]) => h("div", {}, h("span", { class: "quiet" }, `${name} `), value)));
    } else {
      node.classList.add("number");
      node.append(id === undefined ? "" : `#${id}`);
    }
    return node;
  };

  M.what = (held, id, size) => M.showIn(h("span", { css: size ? { "--s": `${size}px` } : {} }), held, id);

  /* Whether samples are words or rows, which need more room than pictures. */
  M.isWide = (ids) => {
    const held = ids.map((id) => M.sample(id)).find(Boolean);
    return Boolean(held && (held.text !== undefined || (held.values && held.values.length)));
  };

  /* One sample in a list: a button that pins it; `said` gives what stands below it. */
  M.sampleTile = (id, said) =>
    h("li", {}, h("button", { class: "sample", pin: { sample: String(id) }, "data-testid": `sample-${id}`, "data-key": `sample ${id}` },
      h("span", { class: "what number" }), h("span", { class: "said" }, said(id)), h("span", { class: "strip2", "aria-hidden": "true" })));

  M.fillTile = (node, id) => {
    const held = M.sample(id);
    M.showIn(node.querySelector(".what"), held, id);
    const strip = node.querySelector(".strip2");
    const past = held && held.history;
    if (past && !strip.children.length) {
      const label = M.points().label[id];
      M.put(strip, past.predicted.map((guess) => h("i", { class: guess < 0 ? null : guess === label ? "right" : "wrong" })));
    }
    strip.hidden = !past;
  };

  /* Samples with a number each, as links to their pages with a bar of `number / most` below; `refresh` draws them. */
  M.linkedTiles = (rows, most, signed = true) => {
    const list = h("ul", { class: "ranked", "data-rove": "" });
    const value = new Map(rows.map(([id, number]) => [id, number]));
    list.refresh = () => {
      const ids = rows.map(([id]) => id);
      list.classList.toggle("wide", M.isWide(ids.slice(0, 8)));
      M.each(list, ids, (id) => id,
        (id) => h("li", {}, h("a", { class: "sample", href: `#/sample/${id}`, "data-testid": `sample-${id}` },
          h("span", { class: "what number" }), h("span", { class: "said" }, h("span", {}, M.className(M.points().label[id])), h("span", { class: "quiet" }, `#${id}`)),
          h("span", { class: "strip2", hidden: true }), M.bar(value.get(id), most, { signed }))),
        M.fillTile);
    };
    return list;
  };
})();
