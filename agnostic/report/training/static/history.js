"use strict";
/* The course of one sample: how probable its label was in each epoch, and what was predicted. */
(() => {
  const { h, s } = M;
  const WIDE = 640, HIGH = 180, LEFT = 44, TOP = 12;

  const line = (values, xOf, yOf, name) => {
    let text = "";
    values.forEach((value, epoch) => {
      if (value === null) return;
      text += `${text ? "L" : "M"}${xOf(epoch).toFixed(1)},${yOf(value).toFixed(1)}`;
    });
    return s("path", { class: name, d: text });
  };

  /* A chart with the cells of what was predicted below it. */
  M.course = (id, past) => {
    const { label } = M.points();
    const epochs = past.predicted.length;
    const step = (WIDE - LEFT) / epochs;
    const xOf = (epoch) => LEFT + (epoch + 0.5) * step;
    const yOf = (share) => TOP + (1 - share) * HIGH;
    const named = step >= 14 && M.site().classes.every((name) => name.length <= 2);
    const grid = [0, 0.5, 1].map((share) => [
      s("line", { x1: LEFT, x2: WIDE, y1: yOf(share), y2: yOf(share) }),
      s("text", { x: LEFT - 8, y: yOf(share) + 4, "text-anchor": "end" }, share),
    ]);
    const cells = past.predicted.map((guess, epoch) => {
      if (guess < 0) return null;
      const right = guess === label[id];
      const top = TOP + HIGH + 16;
      return s("g", {},
        s("rect", { class: right ? "right" : "wrong", x: xOf(epoch) - step / 2 + 0.5, width: Math.max(step - 1, 0.5), y: top + (right ? 0 : 8), height: right ? 24 : 16 }, s("title", {}, `epoch ${epoch + 1}: ${M.className(guess)}`)),
        named && s("text", { class: "guess", x: xOf(epoch), y: top + 20 }, M.className(guess)));
    });
    const every = Math.ceil(epochs / 10);
    const ticks = past.predicted.map((_, epoch) => epoch % every === 0 && s("text", { x: xOf(epoch), y: TOP + HIGH + 58, "text-anchor": "middle" }, epoch + 1));
    return h("figure", {},
      s("svg", { class: "course", viewBox: `0 0 ${WIDE} ${TOP + HIGH + 64}`, role: "img", "aria-label": said(id, past), "data-testid": "course" },
        grid, line(past.best, xOf, yOf, "best"), line(past.label, xOf, yOf, "own"), cells, ticks),
      h("figcaption", {}, "Solid: probability of the label. Dashed: of whatever was predicted. Below: what was predicted in each epoch, tall where it is the label."));
  };

  const said = (id, past) => {
    const right = past.predicted.filter((guess) => guess === M.points().label[id]).length;
    return `Predicted as labelled in ${right} of ${past.predicted.filter((guess) => guess >= 0).length} epochs`;
  };
  M.courseSaid = said;
})();
