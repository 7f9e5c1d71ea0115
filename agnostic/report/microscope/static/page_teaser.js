"use strict";
/* Two classes side by side: the units that pull the answer towards one or the other, and where. */
(() => {
  const { h } = M;
  const MOST = 7;

  const dataOf = (state, slug) => M.get(`image/${state.id}/${slug}`);
  const layersOf = (state) => M.image(state.id).layers.filter((slug) => dataOf(state, slug));

  /* [unit, towards a, towards b], from most for a to most for b; a unit in neither list adds next to nothing. */
  const contested = (data, a, b, mode) => {
    const column = mode === "linear" ? 2 : 1;
    const towards = (k) => new Map(((data.channels || {})[k] || []).map((row) => [row[0], row[column]]));
    const [first, second] = [towards(a), towards(b)];
    const rows = [...new Set([...first.keys(), ...second.keys()])].map((n) => [n, first.get(n), second.get(n)]);
    const gap = ([, x = 0, y = 0]) => x - y;
    rows.sort((x, y) => gap(y) - gap(x));
    return rows.length > MOST ? [...rows.slice(0, Math.ceil(MOST / 2)), ...rows.slice(-Math.floor(MOST / 2))] : rows;
  };

  const column = (slug, most) => ([n, a, b]) => {
    const part = (value, tone) => value === undefined
      ? h("span", { class: "bar none" }, h("i", {}), h("b", {}, "–"))
      : M.bar(value, most, { signed: true, tone: `${tone}${value < 0 ? " below" : ""}` });
    const said = (value) => (value === undefined ? "next to nothing" : M.number(value, true));
    return h("li", {}, h("button", { class: "contest", pin: { channel: `${slug}:${n}` }, "aria-label": `Unit ${n}: ${said(a)} and ${said(b)}`, "data-testid": `contest-${n}` },
      M.tile(slug, n, { size: 112 }), h("span", { class: "quiet" }, `unit ${n}`), part(a, "orange"), part(b, "blue")));
  };

  const picker = (key, text, classes, chosen, other) =>
    h("label", { class: `pick ${key}` }, h("span", { class: "dot", "aria-hidden": "true" }), h("span", { class: "quiet" }, text),
      h("select", { "data-testid": `select-${key}`, "data-key": `select ${key}`, on: { change: (event) => M.set({ [key]: event.target.value }) } },
        classes.map(({ index, name }) => h("option", { value: index, selected: String(index) === chosen, disabled: String(index) === other }, name))));

  const lightOf = (data, view, a, b) => {
    const n = view.channel && Number(view.channel.split(":").pop());
    if (view.channel && data.maps[n]) return { map: M.maps.heat(data.maps[n]), hues: true, words: `Where unit ${n} is active.`, scale: ["heat", "0", "its strongest"] };
    const [first, second] = [(data.spatial || {})[a], (data.spatial || {})[b]];
    if (!first || !second) return { words: "Point at a unit to see where it is active." };
    const difference = first.map((value, k) => value - second[k]);
    const bound = M.bound(difference);
    return { map: M.maps.versus(difference, bound), hues: false, words: `Orange places speak for ${M.className(a)}, blue ones for ${M.className(b)}.`, scale: ["versus", M.number(bound), M.number(bound), "clipped at the 99.5th percentile"] };
  };

  M.page("teaser", {
    title: (state) => `Two classes in ${M.image(state.id).file}`,
    needs: (state) => M.image(state.id).layers.map((slug) => `image/${state.id}/${slug}`),
    structure: ["layer", "a", "b", "mode"],
    pins: ["channel"],
    build(state, main) {
      const layers = layersOf(state);
      main.append(M.pictureHead(state, "Two classes pull at the same picture. Each unit speaks for one of them more than for the other; these are the ones that disagree most."));
      const slug = layers.includes(state.q.layer) ? state.q.layer : layers[layers.length - 1];
      const data = slug && dataOf(state, slug);
      if (!data || data.classes.length < 2) return void main.append(M.empty("Comparing needs a layer and two classes of this picture.", M.command("images")));
      const known = (k, instead) => (data.classes.some(({ index }) => String(index) === k) ? k : String(instead));
      const a = known(state.q.a, data.classes[0].index);
      const b = known(state.q.b, data.classes.find(({ index }) => String(index) !== a).index);
      const mode = state.q.mode === "linear" ? "linear" : "path";
      const rows = contested(data, a, b, mode);
      const most = Math.max(1e-12, ...rows.flatMap(([, x = 0, y = 0]) => [Math.abs(x), Math.abs(y)]));
      const nodes = { picture: M.picture(M.image(state.id)), told: h("p", { class: "told", "data-testid": "told" }), scale: h("div", { class: "scaleslot" }) };
      main.append(h("div", { class: "controls" }, picker("a", "This", data.classes, a, b), picker("b", "against this", data.classes, b, a)),
        h("div", { class: "teaserpage" }, h("div", { class: "left" }, nodes.picture, nodes.told, nodes.scale),
          h("div", { class: "right" },
            h("div", { class: "controls" }, M.choice("In", "layer", layers.map((name) => [name, M.nameOf(name), true]), slug), M.choice("Attribution", "mode", [["path", "along a path"], ["linear", "linear"]], mode)),
            rows.length ? h("ul", { class: "contests", "data-rove": "", "data-testid": "contests" }, rows.map(column(slug, most))) : M.empty(M.site().gradient || "There is no attribution of units to these classes.", M.command("gradient")),
            rows.length > 0 && h("p", { class: "axis" }, h("span", {}, `← more for ${M.className(a)}`), h("span", {}, `more for ${M.className(b)} →`)),
            M.badges(data.badges))));
      return (view) => {
        const { map, hues, words, scale } = lightOf(data, view, a, b);
        nodes.picture.light(map || null, data.grid, { hues });
        nodes.told.textContent = words;
        M.put(nodes.scale, scale ? M.scale(...scale) : null);
      };
    },
  });
})();
