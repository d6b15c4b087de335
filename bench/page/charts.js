"use strict";

// Figures as SVG: data as bench/plots/figure.py describes it, looks as bench/plots/style.py does.
const charts = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const SHAPES = {
    circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    square: (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: (r) => `M0 ${-1.2 * r}L${1.2 * r} ${r}H${-1.2 * r}z`,
    diamond: (r) => `M0 ${-1.4 * r}L${1.4 * r} 0L0 ${1.4 * r}L${-1.4 * r} 0z`,
    cross: (r) => `M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`,
    down: (r) => `M0 ${1.2 * r}L${1.2 * r} ${-r}H${-1.2 * r}z`,
    plus: (r) => `M0 ${-1.3 * r}V${1.3 * r}M${-1.3 * r} 0H${1.3 * r}`,
    star: (r) => `M0 ${-1.4 * r}V${1.4 * r}M${-1.2 * r} ${-0.7 * r}L${1.2 * r} ${0.7 * r}M${1.2 * r} ${-0.7 * r}L${-1.2 * r} ${0.7 * r}`,
  };
  const QUIET = { colour: "currentColor", marker: null, dash: [3, 2] };

  function node(name, attributes, parent, text) {
    const made = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function looks(figure, style) {
    const found = new Map();
    figure.labels.forEach((label, place) => {
      const colour = style.colours[place % style.colours.length];
      const marker = style.markers[place % style.markers.length];
      const dash = style.dashes[place % style.dashes.length];
      found.set(label, { colour: colour === style.ink ? "currentColor" : colour, marker, dash });
    });
    return (line) => (line.quiet ? QUIET : found.get(line.label));
  }

  const short = (value) => String(Number(value.toPrecision(4)));

  function linearTicks(low, high) {
    const rough = (high - low) / 5;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
  }

  function logTicks(low, high) {
    const found = [];
    const factors = high / low < 10 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const factor of factors) found.push(factor * 10 ** power);
    }
    const inside = found.filter((value) => value >= low && value <= high);
    return inside.length > 8 ? inside.filter((value) => /^10*$|^0\.0*1$|e/.test(short(value))) : inside;
  }

  // A direction: where values lie in pixels from `start` to `end`, and the ticks to name.
  function scale(axis, values, start, end) {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    if (axis.names) [low, high] = [-0.5, axis.names.length - 0.5];
    const apply = axis.log ? Math.log10 : (value) => value;
    let [from, to] = [apply(low), apply(high)];
    const margin = axis.names ? 0 : (to - from || Math.abs(to) * 0.1 || 1) * 0.06;
    [from, to] = [from - margin, to + margin];
    const place = (value) => start + ((apply(value) - from) / (to - from)) * (end - start);
    const ticks = axis.log ? logTicks(10 ** from, 10 ** to) : linearTicks(from, to);
    const named = axis.names ? axis.names.map((name, i) => [i, name]) : ticks.map((value) => [value, short(value)]);
    return { place, named };
  }

  function mark(look, x, y, parent) {
    const shape = { d: SHAPES[look.marker](3.2), transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` };
    return node("path", { ...shape, fill: look.colour, stroke: look.colour, "stroke-width": 1.3 }, parent);
  }

  function drawLine(line, look, x, y, axis, svg) {
    const group = node("g", {}, svg);
    const places = line.x.map((value, i) => [x.place(value), y.place(line.y[i])]);
    if (!line.apart && places.length > 1) {
      const points = places.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" ");
      const stroke = { stroke: look.colour, "stroke-width": line.quiet ? 1 : 1.6, fill: "none" };
      const dash = look.dash.map((length) => 1.6 * length).join(" ");
      node("polyline", { points, ...stroke, ...(dash ? { "stroke-dasharray": dash } : {}) }, group);
    }
    if (line.quiet) return;
    places.forEach(([a, b], i) => {
      const bounds = line.low && line.low[i] !== null ? [line.low[i], line.high[i]] : null;
      if (bounds) {
        const [low, high] = bounds.map((bound) => y.place(bound).toFixed(1));
        const d = `M${a.toFixed(1)} ${low}V${high}m-3 0h6M${(a - 3).toFixed(1)} ${low}h6`;
        node("path", { d, stroke: look.colour, fill: "none" }, group);
      }
      const where = axis.names ? axis.names[Math.round(line.x[i])] : short(line.x[i]);
      const range = bounds ? ` [${bounds.map((bound) => bound.toFixed(2)).join(", ")}]` : "";
      node("title", {}, mark(look, a, b, group), `${line.label} ${where}: ${short(line.y[i])}${range}`);
    });
  }

  function drawAxes(panel, x, y, box, svg) {
    const grid = { stroke: "currentColor", "stroke-opacity": 0.14 };
    for (const [value, name] of y.named) {
      const at = y.place(value).toFixed(1);
      node("path", { d: `M${box.left} ${at}H${box.right}`, ...grid }, svg);
      node("text", { x: box.left - 6, y: at, "text-anchor": "end", dy: "0.32em" }, svg, name);
    }
    for (const [value, name] of x.named) {
      const at = x.place(value).toFixed(1);
      node("path", { d: `M${at} ${box.top}V${box.bottom}`, ...grid }, svg);
      const upright = { x: at, y: box.bottom + 15, "text-anchor": "middle" };
      const turned = { "text-anchor": "end", transform: `translate(${at} ${box.bottom + 6}) rotate(-90)`, dy: "0.32em" };
      node("text", box.turned ? { ...turned, class: "small" } : upright, svg, name);
    }
    node("path", { d: `M${box.left} ${box.top}V${box.bottom}H${box.right}`, stroke: "currentColor", fill: "none" }, svg);
    const middle = (box.left + box.right) / 2;
    node("text", { x: middle, y: box.height - 6, "text-anchor": "middle" }, svg, panel.x.label);
    const side = `translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)`;
    node("text", { transform: side, "text-anchor": "middle" }, svg, panel.y.label);
    node("text", { x: middle, y: 12, "text-anchor": "middle", class: "title" }, svg, panel.title);
  }

  function drawPanel(panel, look, wide) {
    const names = panel.x.names;
    const longest = names ? Math.max(...names.map((name) => name.length)) : 0;
    const turned = Boolean(names) && longest * names.length * 7 > wide - 80;
    const beneath = (turned ? 12 + longest * 5.1 : 20) + (panel.x.label ? 18 : 4);
    const box = { left: 58, right: wide - 8, top: 20, bottom: 230, height: 230 + beneath, turned };
    const lines = panel.lines;
    const heights = lines.flatMap((line) => [...line.y, ...(line.low || []), ...(line.high || [])]).filter((v) => v !== null);
    const x = scale(panel.x, lines.flatMap((line) => line.x), box.left, box.right);
    const y = scale(panel.y, heights, box.bottom, box.top);
    const view = { viewBox: `0 0 ${wide} ${box.height}`, role: "img", "aria-label": `${panel.title} ${panel.y.label}` };
    const svg = node("svg", { ...view, width: wide, height: box.height });
    drawAxes(panel, x, y, box, svg);
    for (const line of lines) drawLine(line, look(line), x, y, panel.x, svg);
    return svg;
  }

  function legend(figure, look) {
    const list = document.createElement("ul");
    list.className = "legend";
    const lines = new Map(figure.panels.flatMap((panel) => panel.lines.map((line) => [line.label, line])));
    lines.delete("");
    for (const [label, line] of lines) {
      const { colour, dash, marker } = look(line);
      const swatch = node("svg", { width: 30, height: 12, viewBox: "0 0 30 12", "aria-hidden": "true" });
      const stroke = { d: "M1 6H29", stroke: colour, "stroke-width": 1.6, "stroke-dasharray": dash.map((l) => 1.6 * l).join(" ") };
      if (!line.apart) node("path", stroke, swatch);
      if (marker) mark({ colour, marker }, 15, 6, swatch);
      const item = document.createElement("li");
      item.append(swatch, label);
      list.append(item);
    }
    return list;
  }

  // The figure as an element for so many pixels of width.
  function draw(figure, style, room) {
    const look = looks(figure, style);
    const whole = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const strong = document.createElement("strong");
    strong.textContent = figure.title;
    caption.append(strong, ` ${figure.note}`);
    const panels = document.createElement("div");
    panels.className = "panels";
    const wide = Math.min(figure.panels.length > 1 ? 400 : 640, room);
    panels.append(...figure.panels.map((panel) => drawPanel(panel, look, wide)));
    whole.append(panels, legend(figure, look), caption);
    return whole;
  }

  return { draw };
})();
