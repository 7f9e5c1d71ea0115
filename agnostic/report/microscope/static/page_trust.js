"use strict";
/* Method and trust: how every number beside a picture is computed, and what the site was made with. */
(() => {
  const { h } = M;

  const pairs = (values) =>
    h("dl", { class: "pairs" }, Object.entries(values || {}).flatMap(([key, value]) => [h("dt", {}, key), h("dd", {}, value !== null && typeof value === "object" ? JSON.stringify(value) : String(value))]));

  const skipped = (examples) =>
    examples && examples.skipped && examples.skipped.length
      ? [h("p", {}, `${M.count(examples.skipped.length, "file")} of ${examples.folder} ${examples.skipped.length === 1 ? "was" : "were"} left out:`), h("ul", { class: "plain" }, examples.skipped.map(({ file, reason }) => h("li", {}, h("span", { class: "mono" }, file), `: ${reason}`)))]
      : null;

  const explained = (entry, chosen) =>
    h("div", { class: `explained${entry.name === chosen ? " chosen" : ""}`, id: `badge-${entry.name}`, "data-testid": `trust-${entry.name}` }, h("h3", {}, entry.title), h("p", {}, entry.sentence), h("p", { class: "quiet" }, entry.how));

  M.page("trust", {
    title: () => "Method and trust",
    structure: ["badge"],
    build(state, main) {
      const site = M.site();
      main.append(M.head("Method and trust", "A picture of a unit shows what excites it most, not all that it does. An attribution is one reasonable account of a decision, not the only one. So a number stands beside every picture here; this page says what each of them means."),
        M.section("What the numbers mean", h("div", { class: "prose" }, site.trust.map((entry) => explained(entry, state.q.badge)))),
        M.section("The model", site.parity && h("p", { class: "prose" }, `${site.parity.sentence} The largest difference is ${M.number(site.parity.largest)}, at scores up to ${M.number(site.parity.scale)}.`),
          pairs({ name: site.model.name, sha256: site.model.sha256, ...site.model.preprocess })),
        M.section("How the pictures of units were made", site.recipes ? pairs(site.recipes) : M.empty("No unit has been visualised yet.", M.command("icons"))),
        M.section("Example pictures", site.examples ? h("p", {}, `${M.count(site.examples.count, "picture")} of ${site.examples.folder}. They show what the model does on pictures like these, not on all there are.`) : null, skipped(site.examples)),
        M.section("Made with", pairs(site.versions)));
      const chosen = state.q.badge && document.getElementById(`badge-${state.q.badge}`);
      if (chosen) requestAnimationFrame(() => chosen.scrollIntoView({ block: "center" }));
    },
  });
})();
