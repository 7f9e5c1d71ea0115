"use strict";
/* Colours for values: the same paths through OKLab as the pictures of the command line, walked at even speed. */
(() => {
  const STEPS = 256;

  /* OKLCH to sRGB in 0..1. */
  M.oklch = (lightness, chroma, hue) => {
    const a = chroma * Math.cos((hue * Math.PI) / 180);
    const b = chroma * Math.sin((hue * Math.PI) / 180);
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ].map((value) => encode(Math.min(1, Math.max(0, value))));
  };

  const encode = (value) => (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055);
  const decode = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

  const oklab = (rgb) => {
    const [r, g, b] = rgb.map(decode);
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  };

  /* 256 stations of a path t -> [r, g, b, alpha], evenly far apart as they are seen on middle grey. */
  const evenly = (path) => {
    const points = Array.from({ length: 1024 }, (_, n) => path(n / 1023));
    const seen = points.map(([r, g, b, alpha]) => oklab([r, g, b].map((value) => 0.27 + (value - 0.27) * alpha)));
    const walked = [0];
    for (let n = 1; n < seen.length; n++) walked.push(walked[n - 1] + Math.hypot(...seen[n].map((v, k) => v - seen[n - 1][k])));
    let at = 0;
    return Array.from({ length: STEPS }, (_, n) => {
      while (at < 1023 && walked[at] < (walked[1023] * n) / (STEPS - 1)) at++;
      return points[at];
    });
  };

  const heat = evenly((t) => [...M.oklch(0.5 + 0.47 * t, 0.164 - 0.063 * t ** 6, 25 + 80 * t), 0.66 * t ** 0.8]);
  const arm = (lightness, chroma, hue) =>
    evenly((t) => [...M.oklch(lightness - 0.14 * (1 - t), chroma - 0.03 * (1 - t), hue), 0.64 * t ** 0.8]);
  const positive = arm(0.8, 0.135, 183);
  const negative = arm(0.74, 0.16, 37);
  const orange = arm(0.72, 0.16, 52);
  const blue = arm(0.66, 0.16, 258);

  const clip = (value) => Math.min(1, Math.max(0, value));
  const look = (table, value) => table[Math.round(clip(value) * (STEPS - 1))];
  const ahead = (one, other, values, bound) =>
    values.map((value) => (value >= 0 ? look(one, value / bound) : look(other, -value / bound)));

  /* The largest magnitude that has a colour of its own: the 99.5th percentile, or the largest of a nearly empty map. */
  M.bound = (values) => {
    const sorted = values.map(Math.abs).sort((a, b) => a - b);
    const high = sorted[Math.floor(0.995 * (sorted.length - 1))];
    return high > 0 ? high : sorted[sorted.length - 1] || 1;
  };

  M.maps = {
    heat: (values, bound = 1) => values.map((value) => look(heat, value / bound)),
    signed: (values, bound = M.bound(values)) => ahead(positive, negative, values, bound),
    versus: (values, bound = M.bound(values)) => ahead(orange, blue, values, bound),
    /* Several maps in 0..1, one colour each: hues mix by their shares, the strongest gives the thickness. */
    tints: (maps, colours) =>
      maps[0].map((_, place) => {
        const shares = maps.map((map) => clip(map[place]) ** 2);
        const total = shares.reduce((a, b) => a + b, 0) || 1;
        const mix = [0, 1, 2].map((k) => shares.reduce((sum, share, n) => sum + (share / total) * colours[n][k], 0));
        return [...mix, 0.72 * clip(Math.max(...maps.map((map) => map[place]))) ** 0.8];
      }),
  };

  /* The colour of a group: all are equally light. */
  M.groupColour = (hue) => M.oklch(0.74, 0.125, hue + 20);

  M.css = (rgb) => `rgb(${rgb.map((value) => Math.round(255 * value)).join(" ")})`;
})();
