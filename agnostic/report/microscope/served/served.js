"use strict";
/* Beside the pages only where a server hands them out: a button that asks it to render what has no icon yet. */
(() => {
  const { h } = M;
  const EVERY = 1500;
  const MOST = 16;
  let asked = null;

  const say = (text) => {
    for (const told of document.querySelectorAll("[data-testid='render-told'].asked")) told.textContent = text;
  };

  /* Ask for several things; the last of them is watched, for they are done in their order. */
  const order = async (wishes, told) => {
    for (const other of document.querySelectorAll("[data-testid='render-told']")) other.classList.toggle("asked", other === told);
    say("Asking …");
    try {
      for (const wish of wishes) {
        const answer = await fetch("/render", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish) });
        const said = await answer.json();
        if (!answer.ok) return say(said.error);
        asked = said.job;
      }
      watch();
    } catch {
      say("The server does not answer.");
    }
  };

  const button = (text, wishes) => {
    const told = h("span", { class: "quiet", role: "status", "data-testid": "render-told" });
    return h("p", { class: "near" }, h("button", { class: "copy", "data-testid": "render", on: { click: () => order(wishes, told) } }, text), " ", told);
  };

  /* Beside everything that is wanting: a button that has it made. */
  const offerWanted = () => {
    for (const place of document.querySelectorAll("[data-wishes]:not(.offered)")) {
      place.classList.add("offered");
      place.append(button("Render it now", JSON.parse(place.dataset.wishes)));
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
    offerWanted();
    if (!state || !["unit", "layer"].includes(state.page) || document.querySelector("[data-testid='render'].icons")) return;
    const units = missing(state);
    const place = document.querySelector(state.page === "unit" ? "[data-testid='icons']" : "header.head");
    if (!units.length || !place) return;
    const text = units.length > 1 ? `Render ${units.length} units` : "Render it now";
    const made = button(text, [{ layer: state.slug, units }]);
    made.querySelector("button").classList.add("icons");
    place.append(made);
  };

  new MutationObserver(() => setTimeout(offer, 200)).observe(M.main, { childList: true, subtree: true });
  setTimeout(offer, 200);
})();
