"use strict";
/* The map: one point a sample on a canvas, with pointing, clicking, drawing a box, and arrows. */
(() => {
  const { h, s } = M;
  const EDGE = { left: 52, right: 36, top: 60, bottom: 52 };
  const NEAR = 14;
  /* Points that share a place lie around it like the seeds of a sunflower: the area of such a pile shows how many. */
  const SEED = 2.3, WIDEST = 44, TURN = Math.PI * (3 - Math.sqrt(5));

  const rangeOf = (values) => {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return low > high ? [0, 1] : low === high ? [low - 0.5, high + 0.5] : [low, high];
  };

  /* Round numbers in a range; `plus` is what is added to them where they are written. */
  const steps = ([low, high], plus = 0) => {
    const raw = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
    const found = [];
    for (let at = Math.ceil((low + plus) / step) * step; at <= high + plus + 1e-9; at += step) found.push(Number((at - plus).toFixed(10)));
    return found;
  };

  const tick = (value) => String(Number(value.toPrecision(3))).replace("-", "−");

  /* axes: {x, y: {of, name, missing?, missingName?, plus?}}; kindOf(id): 0 easy, 1 hard, 2 wrong; onBox([x0, y0, x1, y1] or null). */
  M.scatter = (count, axes, kindOf, onBox) => {
    const [xs, ys] = [axes.x, axes.y].map((axis) => axis.of.map((value) => (value === null && axis.missing !== undefined ? axis.missing : value)));
    const ranges = [rangeOf(xs), rangeOf(ys)];
    // A pile at the left edge would lie over the other axis.
    ranges[0][0] -= 0.03 * (ranges[0][1] - ranges[0][0]);
    const canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": `Map of the samples: ${axes.x.name} against ${axes.y.name}. Arrows move from sample to sample, Enter keeps one.`, "data-testid": "map" });
    const over = s("svg", { "aria-hidden": "true" });
    const node = h("div", { class: "scatter" }, canvas, over);
    let places = null;
    let size = [0, 0];
    const inPile = new Uint32Array(count);
    let highest = 1;
    const piles = new Map();
    for (let id = 0; id < count; id++) {
      const key = `${xs[id]},${ys[id]}`;
      inPile[id] = piles.get(key) || 0;
      piles.set(key, inPile[id] + 1);
      highest = Math.max(highest, inPile[id] + 1);
    }

    const layOut = () => {
      const box = canvas.getBoundingClientRect();
      size = [box.width, box.height];
      const spans = [size[0] - EDGE.left - EDGE.right, size[1] - EDGE.top - EDGE.bottom];
      places = new Float32Array(2 * count);
      const seed = Math.min(SEED, Math.min(WIDEST, 0.06 * size[0]) / Math.sqrt(highest));
      for (let id = 0; id < count; id++) {
        const [x, y] = [xs[id], ys[id]];
        const share = [(x - ranges[0][0]) / (ranges[0][1] - ranges[0][0]), (y - ranges[1][0]) / (ranges[1][1] - ranges[1][0])];
        const far = seed * Math.sqrt(inPile[id]);
        places[2 * id] = x === null ? NaN : EDGE.left + share[0] * spans[0] + far * Math.cos(inPile[id] * TURN);
        places[2 * id + 1] = y === null ? NaN : EDGE.top + (1 - share[1]) * spans[1] + far * Math.sin(inPile[id] * TURN);
      }
    };

    const unplace = (x, y) => [
      ranges[0][0] + ((x - EDGE.left) / (size[0] - EDGE.left - EDGE.right)) * (ranges[0][1] - ranges[0][0]),
      ranges[1][0] + (1 - (y - EDGE.top) / (size[1] - EDGE.top - EDGE.bottom)) * (ranges[1][1] - ranges[1][0]),
    ];
    const xOf = (value) => EDGE.left + ((value - ranges[0][0]) / (ranges[0][1] - ranges[0][0])) * (size[0] - EDGE.left - EDGE.right);
    const yOf = (value) => EDGE.top + (1 - (value - ranges[1][0]) / (ranges[1][1] - ranges[1][0])) * (size[1] - EDGE.top - EDGE.bottom);

    const paint = () => {
      layOut();
      if (!size[0]) return;
      const ratio = window.devicePixelRatio || 1;
      [canvas.width, canvas.height] = [Math.round(size[0] * ratio), Math.round(size[1] * ratio)];
      const pen = canvas.getContext("2d");
      const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
      pen.scale(ratio, ratio);
      const thin = count > 8000 ? 0.25 : count > 2000 ? 0.4 : 0.6;
      const each = (kind, draw) => {
        for (let id = 0; id < count; id++) if (kindOf(id) === kind && !Number.isNaN(places[2 * id]) && !Number.isNaN(places[2 * id + 1])) draw(places[2 * id], places[2 * id + 1]);
      };
      pen.fillStyle = colour("--quiet");
      pen.globalAlpha = thin;
      each(0, (x, y) => {
        pen.beginPath();
        pen.arc(x, y, 2, 0, 7);
        pen.fill();
      });
      pen.globalAlpha = Math.min(1, 2 * thin);
      pen.strokeStyle = colour("--blue");
      pen.lineWidth = 1.2;
      each(1, (x, y) => {
        pen.beginPath();
        pen.arc(x, y, 3, 0, 7);
        pen.stroke();
      });
      pen.globalAlpha = 1;
      pen.strokeStyle = colour("--orange");
      pen.lineWidth = 1.6;
      each(2, (x, y) => {
        pen.beginPath();
        pen.moveTo(x - 3.5, y - 3.5);
        pen.lineTo(x + 3.5, y + 3.5);
        pen.moveTo(x + 3.5, y - 3.5);
        pen.lineTo(x - 3.5, y + 3.5);
        pen.stroke();
      });
    };

    const ring = s("circle", { class: "ring", r: 7 });
    const boxMark = s("rect", { class: "box" });
    const frame = () => {
      const bottom = size[1] - EDGE.bottom;
      M.put(over,
        steps(ranges[0], axes.x.plus).filter((at) => axes.x.missing === undefined || at < axes.x.missing - 0.3 * (ranges[0][1] - ranges[0][0]) / 5).concat(axes.x.missing === undefined ? [] : [axes.x.missing]).map((at) => [s("line", { x1: xOf(at), x2: xOf(at), y1: bottom, y2: bottom + 4 }), s("text", { x: xOf(at), y: bottom + 22, "text-anchor": "middle" }, axes.x.missing === at ? axes.x.missingName : tick(at + (axes.x.plus || 0)))]),
        steps(ranges[1]).map((at) => [s("line", { x1: EDGE.left - 4, x2: EDGE.left, y1: yOf(at), y2: yOf(at) }), s("text", { x: EDGE.left - 8, y: yOf(at) + 4, "text-anchor": "end" }, tick(at))]),
        s("line", { x1: EDGE.left, x2: size[0], y1: bottom, y2: bottom }), s("line", { x1: EDGE.left, x2: EDGE.left, y1: 24, y2: bottom }),
        s("text", { x: size[0], y: size[1] - 4, "text-anchor": "end" }, `${axes.x.name} →`),
        s("text", { x: 0, y: 14 }, `↑ ${axes.y.name}`),
        boxMark, ring);
    };

    const nearest = (x, y, most) => {
      let best = null;
      let least = most * most;
      for (let id = 0; id < count; id++) {
        const far = (places[2 * id] - x) ** 2 + (places[2 * id + 1] - y) ** 2;
        // What is painted last lies on top.
        if (far < least || (far === least && best !== null && kindOf(id) > kindOf(best))) [best, least] = [id, far];
      }
      return best;
    };

    const beside = (from, [dx, dy]) => {
      const [x, y] = [places[2 * from], places[2 * from + 1]];
      let best = null;
      let least = Infinity;
      for (let id = 0; id < count; id++) {
        const along = (places[2 * id] - x) * dx + (places[2 * id + 1] - y) * dy;
        const off = Math.abs((places[2 * id] - x) * dy) + Math.abs((places[2 * id + 1] - y) * dx);
        if (along > 0.5 && along + 3 * off < least) [best, least] = [id, along + 3 * off];
      }
      return best;
    };

    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.x, event.clientY - box.y];
    };
    let drag = null;
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (drag) {
        drag.to = [x, y];
        if (Math.hypot(x - drag.from[0], y - drag.from[1]) > 6) drag.moved = true;
        if (drag.moved) markBox([...unplace(...drag.from), ...unplace(x, y)]);
        return;
      }
      if (event.pointerType !== "touch") {
        const id = nearest(x, y, NEAR);
        M.preview(id === null ? null : { sample: String(id) });
      }
      event.stopPropagation();
    });
    canvas.addEventListener("pointerdown", (event) => {
      drag = { from: at(event), to: at(event), moved: false };
      try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    });
    canvas.addEventListener("pointerup", (event) => {
      const done = drag;
      drag = null;
      if (done && done.moved) {
        const [a, b] = [unplace(...done.from), unplace(...at(event))];
        return onBox([Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])]);
      }
      const id = nearest(...at(event), NEAR);
      if (id !== null) M.pin({ sample: String(id) });
      else onBox(null);
    });
    canvas.addEventListener("pointerleave", () => M.preview(null));
    canvas.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (!ways[event.key]) return;
      event.preventDefault();
      const kept = M.state().q.sample;
      const next = kept === undefined || Number.isNaN(places[2 * kept]) ? nearest(size[0] / 2, size[1] / 2, 1e5) : beside(Number(kept), ways[event.key]);
      if (next !== null) M.set({ sample: String(next) });
    });

    const markBox = (box) => {
      boxMark.style.display = box ? "" : "none";
      if (!box) return;
      const within = (value, low, high) => Math.min(high, Math.max(low, value));
      const [x0, x1] = [xOf(box[0]), xOf(box[2])].map((x) => within(x, 0, size[0])).sort((a, b) => a - b);
      const [y0, y1] = [yOf(box[1]), yOf(box[3])].map((y) => within(y, 20, size[1] - EDGE.bottom + 12)).sort((a, b) => a - b);
      for (const [name, value] of Object.entries({ x: x0, y: y0, width: x1 - x0, height: y1 - y0 })) boxMark.setAttribute(name, value);
    };

    /* Bring the marks up to date; a sample's number or null, a box in the axes' own numbers or null. */
    node.mark = (sample, box) => {
      if (!places || !size[0]) {
        paint();
        frame();
      }
      const there = sample !== null && !Number.isNaN(places[2 * sample]);
      ring.style.display = there ? "" : "none";
      if (there) {
        ring.setAttribute("cx", places[2 * sample]);
        ring.setAttribute("cy", places[2 * sample + 1]);
      }
      if (!drag) markBox(box);
    };
    node.inside = (box) => (id) => {
      // A shifted point counts where it is seen.
      const [x, y] = unplace(places[2 * id], places[2 * id + 1]);
      return x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
    };
    const again = () => {
      paint();
      frame();
      M.draw();
    };
    new ResizeObserver(() => {
      const box = canvas.getBoundingClientRect();
      if (places && (Math.abs(box.width - size[0]) > 1 || Math.abs(box.height - size[1]) > 1)) again();
    }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    return node;
  };
})();
