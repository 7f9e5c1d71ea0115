"use strict";
/* A picture that maps light up, with a grid of places over it that can be pointed at. */
(() => {
  const { h, s } = M;

  /* A small canvas with one pixel a place, from [[r, g, b, alpha], …] in 0..1. */
  const pixels = (colours, [rows, columns]) => {
    const canvas = h("canvas", { width: columns, height: rows });
    const context = canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    colours.forEach((colour, n) => colour.forEach((value, k) => (image.data[4 * n + k] = 255 * value)));
    context.putImageData(image, 0, 0);
    return canvas;
  };

  /* Enlarge a small canvas smoothly over the whole picture. */
  const spread = (context, small, width, height) => {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, width, height);
  };

  const dim = (context, width, height) => {
    context.globalCompositeOperation = "saturation";
    context.globalAlpha = 0.82;
    context.fillStyle = "#808080";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = 0.54;
    context.fillStyle = "#0a0a0a";
    context.fillRect(0, 0, width, height);
    context.globalAlpha = 1;
  };

  /* The picture comes back where the light falls; what is unlit stays dim and nearly grey. */
  const light = (canvas, image, colours, grid, hues) => {
    const [width, height] = [(canvas.width = image.naturalWidth), (canvas.height = image.naturalHeight)];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    dim(context, width, height);
    const back = h("canvas", { width, height });
    const below = back.getContext("2d");
    spread(below, pixels(colours.map(([, , , alpha]) => [0, 0, 0, Math.min(1, alpha / 0.6) ** 1.5]), grid), width, height);
    below.globalCompositeOperation = "source-in";
    below.drawImage(image, 0, 0);
    if (!hues) {
      below.globalCompositeOperation = "source-atop";
      below.fillStyle = "rgb(128 128 128 / .3)";
      below.fillRect(0, 0, width, height);
    }
    context.drawImage(back, 0, 0);
    spread(context, pixels(colours, grid), width, height);
  };

  /* Squares over a picture that carry a pin each: [rows, columns], pinOf(y, x), labelOf(y, x). */
  M.grid = ([rows, columns], label, pinOf, labelOf) => {
    const cells = [];
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        cells.push(s("rect", { x, y, width: 1, height: 1, pin: pinOf(y, x), "aria-label": labelOf(y, x), "data-testid": `cell-${y},${x}` }));
      }
    }
    return s("svg", { class: "grid", viewBox: `0 0 ${columns} ${rows}`, preserveAspectRatio: "none", role: "group", "aria-label": label, "data-rove": "" }, cells);
  };

  /* An outline of one place, in a grid of its own fineness; null hides it. */
  M.outline = () => {
    const mark = s("rect", { width: 1, height: 1 });
    const under = s("rect", { width: 1, height: 1, class: "under" });
    const svg = s("svg", { class: "outline", preserveAspectRatio: "none", "aria-hidden": "true" }, under, mark);
    svg.show = (place, [rows, columns] = [1, 1], dashed = false) => {
      svg.style.visibility = place ? "visible" : "hidden";
      svg.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
      svg.classList.toggle("dashed", dashed);
      for (const rect of [mark, under]) {
        rect.setAttribute("y", place ? place[0] : 0);
        rect.setAttribute("x", place ? place[1] : 0);
      }
    };
    return svg;
  };

  /* A picture of the site. `light(colours, grid, {hues})` lights it, `light(null)` shows it untouched. */
  M.picture = (image, { grid = null, alt = "" } = {}) => {
    const img = h("img", { src: `data/images/${encodeURI(image.id)}/image.jpg`, width: image.width, height: image.height, alt: alt || image.file, "data-testid": "picture" });
    const canvas = h("canvas", { class: "light", "aria-hidden": "true", "data-testid": "light" });
    const outline = M.outline();
    const node = h("div", { class: "picture" }, img, canvas, grid, outline);
    let last = null;
    const paint = () => {
      canvas.classList.toggle("lit", Boolean(last));
      if (last && img.complete && img.naturalWidth) light(canvas, img, ...last);
    };
    img.addEventListener("load", paint);
    node.light = (colours, size, { hues = true } = {}) => {
      last = colours ? [colours, size, hues] : null;
      paint();
    };
    /* Lay a rendered picture over everything; null takes it away. */
    let dream = null;
    node.dream = (url) => {
      if (url && !dream) canvas.after((dream = h("img", { class: "dream", src: url, alt: "", "aria-hidden": "true", "data-testid": "dream" })));
      if (url && dream.getAttribute("src") !== url) dream.setAttribute("src", url);
      if (dream) dream.classList.toggle("lit", Boolean(url));
    };
    node.outline = outline.show;
    return node;
  };

  M.place = (text) => (text ? text.split(",").map(Number) : null);

  /* The small pictures above every picture page: the same view of another picture. */
  M.strip = (state) =>
    h("nav", { class: "strip", "aria-label": "Pictures", "data-rove": "" },
      M.site().images.map((image) =>
        h("a", { href: `#/${state.page}/${image.id}${state.q.layer && image.layers.includes(state.q.layer) ? `?layer=${state.q.layer}` : ""}`,
          "aria-current": image.id === state.id ? "true" : null, "data-key": `picture ${image.id}`, "data-testid": `picture-${image.id}` },
        h("img", { src: `data/images/${encodeURI(image.id)}/thumb.jpg`, width: 48, height: 48, alt: image.file }))));

  const LENSES = [["image", "Dictionary and units"], ["spatial", "Places"], ["groups", "Groups"], ["teaser", "Two classes"], ["dreams", "Dreams"]];

  M.lenses = (state) =>
    h("nav", { class: "lenses", "aria-label": "Views of this picture" },
      LENSES.map(([page, text]) =>
        h("a", { href: `#/${page}/${state.id}`, "aria-current": page === state.page ? "page" : null, "data-key": `lens ${page}`, "data-testid": `lens-${page}` }, text)));

  /* The head of a picture page. */
  M.pictureHead = (state, lead) => {
    const image = M.image(state.id);
    return h("div", { class: "picturehead" }, M.strip(state), M.lenses(state), M.head(image.file, lead));
  };

  /* The classes of a picture as a list to point at: rows {index, name, value}; signed attributions or probabilities, null where unknown. */
  M.classList = (node, rows, most, { signed = true } = {}) =>
    M.each(node, rows, (row) => row.index,
      (row) => h("li", {}, h("button", { class: "classrow", pin: { class: String(row.index) }, "data-testid": `class-${row.index}` }, h("span", { class: "name" }, row.name), h("span", { class: "slot" }))),
      (item, row) => {
        M.put(item.querySelector(".slot"), M.bar(row.value || 0, most, row.value === null ? { signed, text: "–" } : signed ? { signed } : { text: M.percent(row.value) }));
      });
})();
