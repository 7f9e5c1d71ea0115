"use strict";
/* Making and updating elements. Whatever comes from the data goes in as text, never as markup. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  const apply = (node, properties) => {
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name === "pin") M.setPin(node, value);
      else if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
      else if (name === "css") for (const [key, css] of Object.entries(value)) node.style.setProperty(key, css);
      else node.setAttribute(name, value === true ? "" : value);
    }
    return node;
  };

  const fill = (node, children) => {
    for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== false) node.append(child);
    return node;
  };

  /* h("p", {class: "lead"}, "text", node): an element; `pin`, `on` and `css` are ours, the rest are attributes. */
  M.h = (tag, properties, ...children) => fill(apply(document.createElement(tag), properties), children);

  /* The same for SVG. */
  M.s = (tag, properties, ...children) => fill(apply(document.createElementNS(SVG, tag), properties), children);

  /* Replace what a node holds. */
  M.put = (node, ...children) => {
    node.replaceChildren();
    return fill(node, children);
  };

  /* Say words in a place whose links must survive until they are clicked: it changes only when its text does. */
  M.say = (node, ...words) => {
    const text = words.flat().map((word) => (word instanceof Element ? `${word.href} ${word.textContent}` : word)).join("");
    if (node.said === text) return;
    node.said = text;
    M.put(node, words);
  };

  /* Make an element's children follow a list and keep those that stay, so that focus is not lost.
     `keyOf` names an item, `make` builds its element, `update` brings an element up to date. */
  M.each = (parent, items, keyOf, make, update = () => {}) => {
    const before = new Map([...parent.children].map((node) => [node.itemKey, node]));
    const after = items.map((item) => {
      const key = String(keyOf(item));
      const node = before.get(key) || make(item);
      node.itemKey = key;
      update(node, item);
      return node;
    });
    const same = after.length === parent.children.length && after.every((node, n) => node === parent.children[n]);
    if (!same) reorder(parent, after);
  };

  const reorder = (parent, nodes) => {
    const focused = parent.contains(document.activeElement) ? document.activeElement : null;
    parent.replaceChildren(...nodes);
    if (focused && parent.contains(focused)) focused.focus({ preventScroll: true });
  };

  /* A number as text: three figures at most, a true minus, a plus where the sign matters. */
  M.number = (value, signed = false) => {
    if (!Number.isFinite(value)) return "–";
    const size = Math.abs(value);
    const text = size === 0 ? "0" : size >= 999999.5 || size < 1e-3 ? scientific(size) : short(size);
    return (value < 0 ? "−" : signed && size > 0 ? "+" : "") + text;
  };

  const scientific = (size) => {
    const [digits, power] = size.toExponential(1).split("e");
    return `${digits}·10${[...power.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("")}`;
  };

  const short = (size) => (size >= 999.5 ? Math.round(size).toLocaleString("en") : size.toPrecision(size >= 0.1 ? 3 : 2));

  M.percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
  M.count = (number, one, many = `${one}s`) => `${Number(number).toLocaleString("en")} ${number === 1 ? one : many}`;
  M.shape = (shape) => shape.join(" × ");
})();
