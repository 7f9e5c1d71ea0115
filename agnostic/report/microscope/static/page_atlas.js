"use strict";
/* The atlas: everything a layer said about many pictures, on one sheet where like lies beside like. */
(() => {
  const { h } = M;

  const tile = (slug, data, most) => (cell) => {
    const size = 100 / data.grid;
    const share = 0.55 + 0.45 * Math.sqrt(cell.n / most);
    const name = cell.name || "no one class";
    return h("span", {
      class: "atlascell", pin: { cell: String(cell.cell) }, "aria-label": `${name}, ${M.count(cell.n, "place")}`, "data-testid": `atlas-${cell.cell}`,
      css: { left: `${100 * cell.x - size / 2}%`, top: `${100 * cell.y - size / 2}%`, width: `${size}%`, "--share": share },
    }, part(slug, data, cell));
  };

  /* One cell of the sheet, in shares of its own size, so that it scales with the page. */
  const part = (slug, data, cell) => {
    const rows = Math.ceil(data.cells.length / data.columns);
    const along = (at, count) => (count > 1 ? `${(100 * at) / (count - 1)}%` : "0%");
    return h("i", { css: {
      "background-image": `url("data/atlas/${slug}.jpg")`, "background-size": `${100 * data.columns}% ${100 * rows}%`,
      "background-position": `${along(cell.cell % data.columns, data.columns)} ${along(Math.floor(cell.cell / data.columns), rows)}`,
    } });
  };

  const counted = (cells) => {
    const names = new Map();
    for (const cell of cells) if (cell.name) names.set(cell.name, (names.get(cell.name) || 0) + cell.n);
    return [...names].sort((a, b) => b[1] - a[1]).slice(0, 8);
  };

  M.page("atlas", {
    title: (state) => (state.slug ? `Atlas of ${M.nameOf(state.slug)}` : "Atlas"),
    needs: (state) => ((M.site().atlas || []).includes(state.slug) ? [`atlas/${state.slug}`] : []),
    pins: ["cell", "name"],
    build(state, main) {
      const data = state.slug && M.get(`atlas/${state.slug}`);
      if (!data) return void main.append(M.head("Atlas"), M.empty("No atlas has been made for this layer.", M.command("atlas", state.slug)));
      const most = Math.max(1, ...data.cells.map((cell) => cell.n));
      const told = h("p", { class: "told", role: "status", "data-testid": "told" });
      const sheet = h("div", { class: "atlas", "data-rove": "", role: "group", "aria-label": "Atlas", "data-testid": "atlas" }, data.cells.map(tile(state.slug, data, most)));
      const names = h("ul", { class: "rows" }, counted(data.cells).map(([name, n]) => h("li", {}, h("button", { class: "classrow", pin: { name } }, h("span", { class: "name" }, name), M.bar(n, counted(data.cells)[0][1], { text: n.toLocaleString("en") })))));
      const others = M.site().atlas.map((slug) => h("a", { class: "mono", href: `#/atlas/${slug}`, "aria-current": slug === state.slug ? "true" : null }, M.nameOf(slug)));
      main.append(M.head(`Atlas of ${M.nameOf(state.slug)}`, "Places from many pictures, laid out so that what the layer finds alike lies together. A cell is as large as it is full."),
        h("div", { class: "atlaspage" }, h("div", {}, sheet), h("div", { class: "left" }, others.length > 1 && h("div", { class: "choice" }, others), told, h("h2", {}, "What lies here most"), names)));
      M.rove(main);
      return (view) => {
        const cell = data.cells.find((one) => String(one.cell) === view.cell);
        told.textContent = cell ? `${cell.name || "No one class"}, ${M.count(cell.n, "place")}` : "Point at a cell to read it.";
        [...sheet.children].forEach((node, n) => node.classList.toggle("faded", Boolean(view.name) && data.cells[n].name !== view.name));
      };
    },
  });
})();
