"use strict";
/* The small parts that every page uses: bars, scales, badges, choices, histograms, empty states. */
(() => {
  const { h, s } = M;

  /* A length from zero with its number; sign by side, colour and the number's own sign. */
  M.bar = (value, most, { signed = false, tone = "", text = M.number(value, signed) } = {}) => {
    const share = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
    const side = !signed ? "plain" : value < 0 ? "against" : "for";
    return h("span", { class: `bar ${tone || side}`, css: { "--share": share } }, h("i", {}), h("b", {}, text));
  };

  /* The ends of a colour map. */
  M.scale = (kind, low, high, note = "") =>
    h("p", { class: "scale" }, h("span", {}, low), h("i", { class: `ramp ${kind}` }), h("span", {}, high), note && h("small", {}, note));

  /* One number and one sentence; the number links to how it is computed. */
  M.badge = (badge) =>
    h("li", { class: `badge ${badge.level}` },
      h("a", { href: `#/trust?badge=${encodeURIComponent(badge.name)}`, "aria-label": `${badge.name} ${badge.text}: how it is computed` }, badge.text),
      h("span", {}, badge.sentence));

  M.badges = (badges) => (badges && badges.length ? h("ul", { class: "badges", "aria-label": "How far to trust this" }, badges.map(M.badge)) : null);

  /* A command that can be copied. */
  M.commandLine = (command) => {
    const copy = h("button", { class: "copy", "data-key": `copy ${command}`, on: { click: () => copied(command, copy) } }, "Copy");
    return h("p", { class: "command" }, h("code", {}, command), copy);
  };

  const copied = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousSibling);
      button.textContent = "Selected";
    }
  };

  /* What happened, and the command that mends it. */
  M.empty = (sentence, command) =>
    h("div", { class: "empty", "data-testid": "empty" }, h("p", {}, sentence), command && M.commandLine(command));

  /* What has not been rendered, the command that does it, and what a server is to be asked for instead. */
  M.wanting = (sentence, command, wishes) => {
    const node = M.empty(sentence, command);
    node.dataset.wishes = JSON.stringify(wishes);
    node.dataset.testid = "wanting";
    return node;
  };

  /* One rendered picture with how it was made. */
  M.rendering = (made, text, { number = 0, width = made.width } = {}) =>
    h("figure", { class: "rendering" },
      h("img", { src: encodeURI(made.pictures[number]), width, height: Math.round((width * made.height) / made.width), alt: text, loading: "lazy" }),
      h("figcaption", {}, text));

  M.recipe = (recipe) =>
    recipe && h("details", {}, h("summary", { "data-testid": "recipe" }, "Recipe"),
      h("dl", { class: "pairs" }, Object.entries(recipe).flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))])),
      M.commandLine(JSON.stringify(recipe, null, 1)));

  /* One of several: links that change one key of the address. */
  M.choice = (label, key, options, chosen) =>
    h("div", { class: "choice", role: "group", "aria-label": label, "data-testid": `choice-${key}` },
      h("span", { class: "quiet" }, label),
      options.map(([value, text, mono]) =>
        h("a", {
          href: M.changed({ [key]: value }), class: mono ? "mono" : null, "data-key": `${key} ${value}`,
          "data-testid": `${key}-${value}`, "aria-current": value === chosen ? "true" : null,
        }, text)));

  /* How often each value occurs, and where the given ones lie. */
  M.histogram = ({ edges, counts }, marks = []) => {
    const most = Math.max(1, ...counts);
    const span = edges[1] - edges[0] || 1;
    const bars = counts.map((count, n) => {
      const tall = 56 * Math.sqrt(count / most);
      return s("rect", { x: 10 * n + 0.5, y: 60 - tall, width: 9, height: tall });
    });
    const ticks = marks.map((value) => {
      const x = (10 * counts.length * (value - edges[0])) / span;
      return s("line", { x1: x, x2: x, y1: 60, y2: 68 });
    });
    const said = `${M.count(counts.reduce((a, b) => a + b, 0), "picture")} between ${M.number(edges[0])} and ${M.number(edges[1])}`;
    return h("figure", { class: "histogram" },
      s("svg", { viewBox: `0 0 ${10 * counts.length} 70`, role: "img", "aria-label": `Activations: ${said}` }, bars, ticks),
      h("figcaption", { class: "ends" }, h("span", {}, M.number(edges[0] < 0.005 * edges[1] && edges[0] > 0 ? 0 : edges[0])), h("span", {}, M.number(edges[1]))));
  };

  /* The head of a page: what it is, and one sentence on what it shows. */
  M.head = (title, lead, { mono = false, above = null } = {}) =>
    h("header", { class: "head" }, above, h("h1", { class: mono ? "mono" : null }, title), lead && h("p", { class: "lead" }, lead));

  M.section = (title, ...children) => h("section", {}, h("h2", {}, title), children);

  /* "completeness" beside a sum of attributions, as a sentence. */
  M.sum = (total) =>
    total ? `Sums to ${M.number(total.sum, true)}; the score itself moves by ${M.number(total.true, true)}.` : "";
})();
