"use strict";
/* What was asked about: which training samples raise a target, and which lower it. */
(() => {
  const { h } = M;

  const queries = () => M.site().queries;

  M.page("asked", {
    title: (state) => queries()[Number(state.id)].target,
    knows: (id) => /^\d+$/.test(id || "") && Number(id) < queries().length,
    needs: (state) => [`asked/${state.id}`],
    build(state, main) {
      const number = Number(state.id);
      const query = queries()[number];
      const found = M.get(`asked/${number}`);
      if (!found) return void main.append(M.head(query.target), M.empty("The file of this answer is missing.", M.site().command));
      const most = Math.max(...found.up.concat(found.down).map(([, value]) => Math.abs(value)), 0);
      const held = { ...found.shown, sheet: found.shown.sheet === null ? "" : `data/asked-${found.shown.sheet}.jpg` };
      const [up, down] = [M.linkedTiles(found.up, most), M.linkedTiles(found.down, most)];
      const meta = Object.entries(query.meta).filter(([, value]) => typeof value !== "object");
      main.append(
        queries().length > 1 && h("nav", { class: "choice", "aria-label": "Questions", "data-rove": "" }, queries().map((item, at) => h("a", { href: `#/asked/${at}`, "aria-current": at === number ? "page" : null, "data-key": `asked ${at}` }, `${item.name}: ${item.target}`))) || "",
        h("div", { class: "asked" }, M.what(held, undefined, 192),
          h("div", {}, M.head(query.target, `Which training samples made it what it is on ${query.name}, by ${query.kind}. Those on the left raise it by having been trained on; without those on the right it would be higher.`))),
        h("div", { class: "bothways" },
          M.section(`Raise it (sum ${M.number(found.total[0], true)})`, found.up.length ? up : h("p", { class: "quiet" }, "None.")),
          M.section(`Lower it (sum ${M.number(found.total[1], true)})`, found.down.length ? down : h("p", { class: "quiet" }, "None."))),
        M.section("How it was found", h("dl", { class: "pairs" }, meta.flatMap(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, typeof value === "number" ? M.number(value) : String(value))]))));
      return () => {
        up.refresh();
        down.refresh();
        M.rove(main);
      };
    },
  });
})();
