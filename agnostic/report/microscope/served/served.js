"use strict";
/* Beside the pages only where a server hands them out: a button that asks it to render what has no icon yet. */
(() => {
  const { h } = M;
  const EVERY = 1500;
  const MOST = 16;
  let asked = null;

  const say = (text) => {
    const told = document.querySelector("[data-testid='render-told']");
    if (told) told.textContent = text;
  };

  const order = async (layer, units) => {
    say("Asking …");
    try {
      const answer = await fetch("/render", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ layer, units }) });
      const said = await answer.json();
      if (!answer.ok) return say(said.error);
      asked = said.job;
      watch();
    } catch {
      say("The server does not answer.");
    }
  };

  const watch = async () => {
    try {
      const { jobs } = await (await fetch("/jobs")).json();
      const job = jobs.find(({ id }) => id === asked);
      if (!job || job.state === "done") return location.reload();
      if (job.state === "failed") return say(job.error);
      say(job.state === "queued" ? "Waiting …" : `Rendered ${job.done} of ${job.total} …`);
      setTimeout(watch, EVERY);
    } catch {
      say("The server does not answer.");
    }
  };

  /* The units that the page in view is about and that have no icon: one on a unit's page, some on a layer's. */
  const missing = (state) => {
    const layer = M.layer(state.slug);
    if (state.page === "unit") return M.icon(state.slug, state.unit) ? [] : [state.unit];
    return Array.from({ length: layer.units }, (_, n) => n).filter((n) => !M.icon(state.slug, n)).slice(0, MOST);
  };

  const offer = () => {
    const state = M.state();
    if (!state || !["unit", "layer"].includes(state.page) || document.querySelector("[data-testid='render']")) return;
    const units = missing(state);
    const place = document.querySelector(state.page === "unit" ? "[data-testid='icons']" : "header.head");
    if (!units.length || !place) return;
    const text = units.length > 1 ? `Render ${units.length} units` : "Render it now";
    place.append(h("p", { class: "near" },
      h("button", { class: "copy", "data-testid": "render", on: { click: () => order(state.slug, units) } }, text), " ",
      h("span", { class: "quiet", role: "status", "data-testid": "render-told" })));
  };

  new MutationObserver(() => setTimeout(offer, 200)).observe(M.main, { childList: true, subtree: true });
  setTimeout(offer, 200);
})();
