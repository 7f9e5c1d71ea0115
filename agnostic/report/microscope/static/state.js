"use strict";
/* The address holds the state; a page is built when its place changes and drawn whenever anything else does.

   M.page(name, {
     title: (state) => text,
     needs: (state) => keys to load before building,
     structure: query keys that rebuild the page,
     pins: query keys that Escape lets go,
     knows: (id) => whether the page has something of this name, where its address ends in one,
     build: (state, main) => draw, where draw(view) brings the page up to date;
   })
   state = {page, slug, unit, id, q}; view = the query with whatever is hovered or focused laid over it. */
(() => {
  const pages = {};
  let state = null;
  let draw = null;
  let built = null;
  let hover = null;
  let turn = 0;

  M.page = (name, page) => {
    pages[name] = { needs: () => [], structure: [], pins: [], ...page };
  };
  M.state = () => state;
  /* The page whose address is empty. */
  M.home = "model";

  const PICTURE_PAGES = ["image", "spatial", "groups", "teaser", "dreams"];

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  /* "#/layer/conv1/unit/3?tab=top" -> {page: "unit", slug: "conv1", unit: 3, q: {tab: "top"}} */
  M.parse = (hash) => {
    const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
    const [page = "", first, , third] = path.split("/").map(decoded);
    const q = Object.fromEntries(new URLSearchParams(query));
    if (!page) return { page: M.home, q };
    if (page === "layer" && third !== undefined) return { page: "unit", slug: first, unit: Number(third), q };
    if (page === "layer" || page === "atlas") return { page, slug: first, q };
    if (PICTURE_PAGES.includes(page) || (pages[page] && pages[page].knows)) return { page, id: first, q };
    return { page, q };
  };

  const PATHS = {
    model: () => "",
    layer: (s) => `layer/${s.slug}`,
    atlas: (s) => (s.slug === undefined ? "atlas" : `atlas/${s.slug}`),
    unit: (s) => `layer/${s.slug}/unit/${s.unit}`,
  };
  const pathOf = (s) => (s.page === M.home ? "" : PATHS[s.page] ? PATHS[s.page](s) : s.id === undefined ? s.page : `${s.page}/${s.id}`);

  /* The address of a state; keys without a value are left out. `,` and `:` stay readable. */
  M.hash = (s) => {
    const q = Object.entries(s.q || {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const query = new URLSearchParams(q).toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return `#/${encodeURI(pathOf(s))}${query ? `?${query}` : ""}`;
  };

  /* The address of this page with some of its query changed. */
  M.changed = (query) => M.hash({ ...state, q: { ...state.q, ...query } });

  /* Change the query in place; the way back still leads to the page before. */
  M.set = (query) => {
    const hash = M.changed(query);
    if (hash !== location.hash) location.replace(hash);
  };

  /* Show something without keeping it; null shows again what is pinned. */
  M.preview = (values) => {
    if (JSON.stringify(values) === JSON.stringify(hover)) return;
    hover = values;
    M.draw();
  };

  /* Keep what is shown; a second time lets it go. */
  M.pin = (values) => {
    const kept = Object.entries(values).every(([key, value]) => state.q[key] === value);
    M.set(kept ? Object.fromEntries(Object.keys(values).map((key) => [key, null])) : values);
  };

  M.letGo = () => {
    hover = null;
    const pins = pages[state.page].pins.filter((key) => key in state.q);
    M.set(Object.fromEntries(pins.map((key) => [key, null])));
    M.draw();
  };

  M.draw = () => {
    if (!draw) return;
    draw({ ...state.q, ...hover });
    M.mark({ ...state.q, ...hover }, state.q);
    M.main.dataset.drawn = location.hash || "#/";
  };

  const known = (s) =>
    pages[s.page] &&
    (s.slug === undefined ? s.page !== "layer" : M.layer(s.slug)) &&
    (PICTURE_PAGES.includes(s.page) ? M.image(s.id) : true) &&
    (pages[s.page].knows ? pages[s.page].knows(s.id) : true) &&
    (s.unit === undefined || (s.unit >= 0 && s.unit < M.layer(s.slug).units));

  const placeOf = (s) => JSON.stringify([pathOf(s), ...pages[s.page].structure.map((key) => s.q[key])]);

  /* Follow the address: load, build where the place is another, draw. */
  M.follow = async () => {
    const next = M.parse(location.hash);
    if (!known(next)) next.page = "lost";
    const place = placeOf(next);
    const here = ++turn;
    if (place !== built) {
      M.main.setAttribute("aria-busy", "true");
      await Promise.all(pages[next.page].needs(next).map(M.load));
      if (here !== turn) return;
      rebuild(next, place);
    }
    state = next;
    M.draw();
  };

  const rebuild = (next, place) => {
    const moved = !state || pathOf(state) !== pathOf(next) || state.page !== next.page;
    const focused = document.activeElement && document.activeElement.dataset.key;
    [state, built, hover] = [next, place, null];
    M.put(M.main);
    draw = pages[next.page].build(next, M.main) || (() => {});
    document.title = `${pages[next.page].title(next)} · ${M.site().model.name}`;
    M.main.dataset.page = next.page;
    M.main.removeAttribute("aria-busy");
    M.drawNavigation(next);
    M.rove(M.main);
    const again = focused && [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused);
    if (again) again.focus({ preventScroll: true });
    else if (moved && turn > 1) M.main.focus({ preventScroll: true });
    if (moved && !again) window.scrollTo(0, 0);
  };
})();
