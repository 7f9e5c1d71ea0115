"use strict";
/* The data: every file is a script that calls register(key, value). M is the microscope's one other global. */
const M = {};
/* Where the files of another site's keys lie: kind -> (rest of the key) -> path below data/ without its ending. */
M.fileOf = {};
const register = (() => {
  const held = new Map();
  const asked = new Map();
  const waiters = new Map();

  /* "examples/conv1/0" -> "data/layers/conv1/examples-0.js": where the file of a key lies. */
  const fileOf = (key) => {
    const [kind, a, b, c] = key.split("/");
    const files = {
      compare: () => "compare",
      renders: () => "renders",
      atlas: () => `atlas/${a}`,
      layer: () => `layers/${a}`,
      overall: () => `layers/${a}/overall`,
      examples: () => `layers/${a}/examples-${b}`,
      icons: () => `layers/${a}/icons-${b}`,
      image: () => `images/${a}/${b}`,
      groups: () => `images/${a}/${b}.groups`,
      channels: () => `images/${a}/channels__${b}__${c}`,
    };
    return `data/${encodeURI((files[kind] || M.fileOf[kind])(a, b, c))}.js`;
  };

  const fetchScript = (key) =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      const done = () => {
        script.remove();
        resolve(held.get(key) || null);
      };
      script.src = fileOf(key);
      script.onload = done;
      script.onerror = done;
      document.head.append(script);
    });

  /* What is registered under a key, or undefined. */
  M.get = (key) => held.get(key);

  /* A promise of a key's value; null where the file cannot be read. Each file is asked for once. */
  M.load = (key) => {
    if (!asked.has(key)) asked.set(key, held.has(key) ? Promise.resolve(held.get(key)) : fetchScript(key));
    return asked.get(key);
  };

  /* What is there now; when it is not there yet it is loaded, and `then` is called once it is, however often it was
     asked for in between. */
  M.want = (key, then) => {
    const waiting = waiters.get(key);
    if (held.has(key) || (waiting && waiting.has(then))) return held.get(key);
    waiters.set(key, (waiting || new Set()).add(then));
    M.load(key).then((value) => value && then());
    return undefined;
  };

  M.site = () => held.get("site");
  M.layer = (slug) => M.site().layers.find((layer) => layer.slug === slug);
  M.image = (id) => M.site().images.find((image) => image.id === id);
  M.nameOf = (slug) => (M.layer(slug) || { name: slug }).name;

  /* A class index as a person calls it. */
  M.className = (index) => {
    const { labels } = M.site().model;
    return (labels && labels[index]) || `class ${index}`;
  };

  /* The shards of 32 icons that have been rendered for a layer. */
  M.iconShards = (layer) => {
    if (layer.icons) return layer.icons;
    const count = layer.complete_icons > 0 ? Math.ceil(layer.units / 32) : 0;
    return Array.from({ length: count }, (_, k) => k);
  };

  /* What has been rendered beside the icons: {pictures, width, height, recipe}, or undefined. A wish is {kind, layer,
     units, picture} as a server is asked for it. */
  M.wishName = ({ kind, layer, units = [], picture = "" }) => [kind, picture, layer, ...units].filter((part) => part !== "").join("/");
  M.rendered = (wish) => (held.get("renders") || {})[M.wishName(wish)];

  /* A command of the site, for one layer where it names one; null where the site has none. */
  M.command = (name, slug = "SLUG", unit = "UNIT") => {
    const command = (M.site().commands || {})[name];
    return command ? command.replaceAll("SLUG", slug).replaceAll("UNIT", unit) : null;
  };

  return (key, value) => held.set(key, value);
})();
