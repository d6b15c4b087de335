"use strict";

// Sorting, filtering and details. All text goes in as text, never as markup.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const parsed = (element) => JSON.parse(element.textContent);
  const style = parsed(document.getElementById("style"));
  const shared = new Map();
  const records = new Map();

  function element(name, text, properties = {}) {
    const made = Object.assign(document.createElement(name), properties);
    if (text !== undefined) made.textContent = legible(text);
    return made;
  }

  // Characters that one cannot see, or that turn the direction of others, as their codes.
  const legible = (text) =>
    String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => (c === "\n" ? c : `\\u{${c.codePointAt(0).toString(16)}}`));

  const drawn = (figure) => charts.draw(figure, style, document.documentElement.clientWidth - 80);

  // sorting

  function number(text) {
    const found = /[-−+]?\d[\d,]*(\.\d+)?(e[-+]?\d+)?/i.exec(text);
    return found ? Number(found[0].replace(/,/g, "").replace("−", "-")) : NaN;
  }

  function compare(numeric, sign) {
    const natural = new Intl.Collator("en", { numeric: true }).compare;
    return (a, b) => {
      const [x, y] = numeric ? [number(a.key), number(b.key)] : [a.key, b.key];
      const [noX, noY] = numeric ? [Number.isNaN(x), Number.isNaN(y)] : [x === "", y === ""];
      if (noX || noY) return noX - noY || a.place - b.place;
      return sign * (numeric ? x - y : natural(x, y)) || a.place - b.place;
    };
  }

  // Ascending, descending, and as it was, in turn; numbers start with the largest.
  function sort(header) {
    const table = header.closest("table");
    const numeric = header.classList.contains("number");
    const turns = numeric ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    const now = header.getAttribute("aria-sort") || "none";
    const next = turns[(turns.indexOf(now) + 1) % turns.length];
    all("th[aria-sort]", table).forEach((other) => other.setAttribute("aria-sort", "none"));
    header.setAttribute("aria-sort", next);
    table.classList.toggle("sorted", next !== "none");
    const body = table.tBodies[0];
    const lines = [...body.rows].map((row) => ({
      row,
      key: row.cells[header.cellIndex].textContent.trim(),
      place: Number(row.dataset.place),
    }));
    lines.sort(next === "none" ? (a, b) => a.place - b.place : compare(numeric, next === "ascending" ? 1 : -1));
    body.append(...lines.map((line) => line.row));
  }

  // filtering

  function filter(form) {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.text.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const section of all("section.grid")) {
      const fits = ["dataset", "schedule"].every((name) => !wanted[name] || section.dataset[name] === wanted[name]);
      let here = 0;
      for (const row of all("tbody tr:not(.reference)", section)) {
        const text = row.textContent.toLowerCase();
        const kept = (!wanted.bits || row.dataset.bits === wanted.bits) && words.every((word) => text.includes(word));
        row.hidden = !kept;
        here += kept;
      }
      section.hidden = !fits || !here;
      shown += fits ? here : 0;
    }
    for (const part of all(".part")) part.hidden = !all("section.grid", part).some((section) => !section.hidden);
    document.getElementById("shown").textContent = `${shown} rows shown`;
  }

  // details

  function known(key) {
    if (!records.size) for (const script of all("script[data-record]")) records.set(script.dataset.record, script);
    const script = records.get(key);
    return script ? parsed(script) : null;
  }

  function common(key) {
    if (!shared.size) Object.entries(parsed(document.getElementById("shared"))).forEach(([k, v]) => shared.set(k, v));
    return shared.get(key);
  }

  // The record of a detail, with everything that it shares with others put back.
  function whole(detail) {
    for (const [path, key] of Object.entries(detail.shared)) {
      const steps = path.split(".");
      const last = steps.pop();
      steps.reduce((part, step) => part[step], detail.record)[last] = common(key);
    }
    for (const figure of detail.figures) figure.note = common(figure.note);
    for (const panel of detail.figures.flatMap((figure) => figure.panels)) {
      if (panel.x.names) panel.x.names = common(panel.x.names);
      for (const line of panel.lines) line.x = common(line.x);
    }
    return detail.record;
  }

  // Name and value of everything in a plain value, with dotted names.
  function* leaves(value, name = "") {
    if (value === null || typeof value !== "object" || !Object.keys(value).length) yield [name, JSON.stringify(value)];
    else if (Array.isArray(value) && value.every((v) => v === null || typeof v !== "object")) yield [name, value.join(", ")];
    else for (const [key, part] of Object.entries(value)) yield* leaves(part, name ? `${name}.${key}` : key);
  }

  const unquoted = (text) => (/^"(.*)"$/s.test(text) ? JSON.parse(text) : text);

  function facts(heading, value, open) {
    const part = element("details", undefined, { open });
    const table = element("table", undefined, { className: "facts" });
    const body = table.createTBody();
    for (const [name, text] of leaves(value)) {
      const row = body.insertRow();
      row.append(element("th", name, { scope: "row" }), element("td", unquoted(text)));
    }
    part.append(element("summary", heading), table);
    return part;
  }

  function command(text) {
    const box = element("p", undefined, { className: "command" });
    const code = element("code", text);
    const button = element("button", "Copy", { type: "button" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
      }
    });
    box.append(code, button);
    return box;
  }

  function images(path) {
    const frame = element("figure");
    const image = element("img", undefined, { alt: "Images that the generator drew in the last epoch", loading: "lazy" });
    image.addEventListener("error", () => image.replaceWith(element("em", `${path} does not lie beside this page`)));
    image.src = path.split("/").map(encodeURIComponent).join("/");
    frame.append(image, element("figcaption", "Generated images of the last epoch"));
    return frame;
  }

  function file(path) {
    const line = element("p", "The whole record: ");
    line.append(element("a", path, { href: path.split("/").map(encodeURIComponent).join("/") }));
    return line;
  }

  function content(detail) {
    const record = whole(detail);
    const again = detail.reproduce ? [element("p", "Run it again and compare:"), command(detail.reproduce)] : [];
    const made = [...again, file(detail.path)];
    if (detail.images) made.push(images(detail.images));
    const { environment, ...run } = record.run;
    made.push(facts("Accuracy", { top1: record.result.top1, top5: record.result.top5 }, true));
    if (detail.figures.length) {
      const plots = element("details", undefined, { open: true });
      plots.append(element("summary", "Plots"), ...detail.figures.map(drawn));
      made.push(plots);
    }
    if (detail.measurements.length) made.push(facts("Measurements", detail.measurements, true));
    made.push(facts("Spec", record.spec, true), facts("Environment", environment || {}, true));
    const about = { id: record.id, platform: record.platform, suite: record.suite, method: record.method, data: record.data };
    made.push(facts("Run", run), facts("Result", record.result), facts("Method, data and identity", about));
    return made;
  }

  const dialog = document.querySelector("dialog");

  function show(key, siblings) {
    const detail = known(key);
    if (!detail) return false;
    const heading = dialog.querySelector("h2");
    heading.textContent = legible(detail.title);
    const seeds = dialog.querySelector(".seeds");
    seeds.replaceChildren(
      ...siblings.map((other) => {
        const link = element("button", `seed ${known(other).record.spec.seed}`, { type: "button" });
        link.setAttribute("aria-pressed", String(other === key));
        link.addEventListener("click", () => show(other, siblings));
        return link;
      }),
    );
    seeds.hidden = siblings.length < 2;
    dialog.querySelector(".content").replaceChildren(...content(detail));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    history.replaceState(null, "", `#${encodeURIComponent(key)}`);
    return true;
  }

  function open(button) {
    const keys = JSON.parse(button.dataset.records);
    show(keys[0], keys);
  }

  function follow() {
    const key = decodeURIComponent(location.hash.slice(1));
    if (!key) return;
    const button = all("button[data-records]").find((b) => JSON.parse(b.dataset.records).includes(key));
    show(key, button ? JSON.parse(button.dataset.records) : [key]);
  }

  dialog.addEventListener("close", () => history.replaceState(null, "", location.href.split("#")[0]));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());

  // plots are drawn when they are opened
  for (const part of all("details.plots")) {
    part.addEventListener("toggle", () => {
      const script = part.querySelector("script");
      if (!part.open || !script) return;
      script.replaceWith(...parsed(script).map(drawn));
    });
  }

  document.addEventListener("click", (event) => {
    const header = event.target.closest("th[aria-sort]");
    if (header) sort(header);
    const row = String(getSelection()) ? null : event.target.closest("tr[data-bits]");
    const button = event.target.closest("button[data-records]") || (row && row.querySelector("button[data-records]"));
    if (button) open(button);
  });
  const form = document.querySelector("form");
  form.addEventListener("input", () => filter(form));
  form.addEventListener("reset", () => setTimeout(() => filter(form)));
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", follow);
  document.documentElement.classList.add("live");
  filter(form);
  follow();
})();
