"use strict";
/* Hover previews, click pins, arrows move, Escape lets go: for everything that carries a pin, whatever its page.
   A pin is a piece of the query ({cell: "3,4"}); an element with one is a button. */
(() => {
  M.setPin = (node, pin) => {
    node.pin = pin;
    node.dataset.pin = Object.keys(pin).join(" ");
    if (node.tagName !== "BUTTON") node.setAttribute("role", "button");
    if (!node.hasAttribute("tabindex")) node.setAttribute("tabindex", "0");
  };

  const pinned = (event) => (event.target.closest ? event.target.closest("[data-pin]") : null);
  const holds = (query, pin) => Object.entries(pin).every(([key, value]) => query[key] === value);

  /* Show which pins are previewed or kept, and kept ones to screen readers as pressed. */
  M.mark = (view, query) => {
    for (const node of M.main.querySelectorAll("[data-pin]")) {
      node.classList.toggle("on", holds(view, node.pin));
      node.setAttribute("aria-pressed", String(holds(query, node.pin)));
    }
  };

  /* In every list marked data-rove one element takes part in the tab order; the arrows reach the others. */
  M.rove = (root) => {
    for (const list of root.querySelectorAll("[data-rove]")) {
      const stops = stopsOf(list);
      const first = stops.find((node) => node.tabIndex === 0 && node.contains(document.activeElement)) || stops[0];
      for (const stop of stops) if (stop.tabIndex !== (stop === first ? 0 : -1)) stop.setAttribute("tabindex", stop === first ? "0" : "-1");
    }
  };

  const stopsOf = (list) => [...list.querySelectorAll("[data-pin], a")].filter((node) => !node.closest("[hidden]"));

  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /* The nearest stop in a direction; what lies off the way counts three times as far. */
  const neighbour = (stops, from, [dx, dy]) => {
    const centre = (node) => {
      const box = node.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    const [x, y] = centre(from);
    let best = null;
    let least = Infinity;
    for (const stop of stops) {
      const [u, v] = centre(stop);
      const along = (u - x) * dx + (v - y) * dy;
      const off = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
      if (along > 1 && along + 3 * off < least) [best, least] = [stop, along + 3 * off];
    }
    return best;
  };

  const moveTo = (from, to) => {
    from.setAttribute("tabindex", "-1");
    to.setAttribute("tabindex", "0");
    to.focus();
  };

  const onKey = (event) => {
    if (event.key === "Escape") return M.letGo();
    const stop = event.target.closest ? event.target.closest("[data-pin], a") : null;
    const list = stop && stop.closest("[data-rove]");
    if (list && WAYS[event.key]) {
      const next = neighbour(stopsOf(list), stop, WAYS[event.key]);
      event.preventDefault();
      if (next) moveTo(stop, next);
    } else if (stop && stop.pin && stop.tagName !== "BUTTON" && [" ", "Enter"].includes(event.key)) {
      event.preventDefault();
      M.pin(stop.pin);
    }
  };

  const onOver = (event) => {
    if (event.pointerType === "touch") return;
    const node = pinned(event);
    M.preview(node ? node.pin : null);
  };

  M.listen = () => {
    M.main.addEventListener("pointerover", onOver);
    M.main.addEventListener("pointerleave", () => M.preview(null));
    M.main.addEventListener("focusin", (event) => {
      const node = pinned(event);
      if (node && node.matches(":focus-visible")) M.preview(node.pin);
    });
    M.main.addEventListener("focusout", () => M.preview(null));
    M.main.addEventListener("click", (event) => {
      const node = pinned(event);
      if (node) M.pin(node.pin);
    });
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", M.follow);
  };
})();
