// Makes tables sortable, draws their plots and offers them as CSV; without it the page is whole, but still.
"use strict";
(() => {
  const MAX_BARS = 30;
  const MAX_SERIES = 10;
  const FORMULA = /^[=+\-@\t\r]/;

  const heads = (table) => [...table.tHead.rows[0].cells];
  const text = (cell) => (cell.classList.contains("null") ? null : cell.textContent);
  const number = (cell) => {
    const found = text(cell);
    return found === null || found === "NaN" ? NaN : Number(found.replaceAll(",", ""));
  };
  const value = (cell, kind) => (kind === "number" ? number(cell) : text(cell));

  // Sorting: by a click, or by a key on the heading's button; what has no value stays last.
  const compare = (kind, sign) => (one, other) => {
    const [a, b] = [value(one, kind), value(other, kind)];
    const [noA, noB] = [a, b].map((each) => each === null || Number.isNaN(each));
    if (noA || noB) return noA - noB;
    return sign * (kind === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0);
  };
  const sortable = (table) => {
    for (const [index, head] of heads(table).entries()) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const each of heads(table)) each.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const order = compare(head.dataset.kind, up ? 1 : -1);
        const rows = [...table.tBodies[0].rows];
        table.tBodies[0].append(...rows.sort((one, other) => order(one.cells[index], other.cells[index])));
      });
    }
  };

  // CSV for spreadsheets: a text that one would run as a formula gets an apostrophe.
  const field = (cell, kind) => {
    const found = text(cell);
    if (found === null) return "";
    if (kind === "number") return found.replaceAll(",", "");
    return `"${(FORMULA.test(found) ? `'${found}` : found).replaceAll('"', '""')}"`;
  };
  const csv = (table) => {
    const kinds = heads(table).map((head) => head.dataset.kind);
    const lines = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell, at) => field(cell, kinds[at])));
    return [heads(table).map((head) => head.dataset.name), ...lines].map((line) => line.join(",") + "\r\n").join("");
  };
  const downloadable = (table) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "Download as CSV";
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv" }));
      link.download = `${table.dataset.name}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    });
    table.parentElement.after(button);
  };

  // Plots are read off their tables, which say the same to those who do not see them.
  const records = (table) => {
    const columns = heads(table).map((head) => head.dataset);
    return [...table.tBodies[0].rows].map((row) =>
      Object.fromEntries(columns.map((column, at) => [column.name, value(row.cells[at], column.kind)])),
    );
  };
  const words = (name) => name.replaceAll("_", " ");
  const bars = (rows, { x, y }) => {
    const all = rows.filter((row) => row[x] !== null && Number.isFinite(row[y]));
    const shown = all.slice(0, MAX_BARS);
    const longest = Math.max(0, ...shown.map((row) => [...row[x]].length));
    const beside = Math.min(160, 24 + 9 * longest);
    return {
      left: all.length - shown.length,
      marginLeft: beside,
      marginBottom: 40,
      height: 60 + 24 * shown.length,
      x: { label: words(y), grid: true, nice: true },
      y: { label: null, domain: shown.map((row) => row[x]) },
      marks: [
        Plot.axisY({ label: null, lineWidth: (beside - 20) / 12, textOverflow: "ellipsis", tickSize: 0 }),
        Plot.barX(shown, { x: y, y: x, fill: "steelblue", tip: { lineWidth: 30, textOverflow: "ellipsis" } }),
        Plot.ruleX([0]),
      ],
    };
  };
  const lines = (rows, { x, y, by }, time) => {
    const read = (found) => (time ? new Date(found) : found);
    const points = y
      .split(",")
      .flatMap((name) =>
        rows
          .filter((row) => row[x] !== null && Number.isFinite(row[name]))
          .map((row) => ({ at: read(row[x]), value: row[name], series: by ? String(row[by] ?? "-") : words(name) })),
      )
      .filter((point) => !Number.isNaN(+point.at));
    const all = [...new Set(points.map((point) => point.series))];
    const series = all.slice(0, MAX_SERIES);
    const shown = points.filter((point) => series.includes(point.series));
    return {
      left: all.length - series.length,
      height: 280,
      marginLeft: 60,
      marginBottom: 40,
      x: { type: time ? "utc" : "linear", label: words(x) },
      y: { label: y.includes(",") ? null : words(y), grid: true, nice: true, zero: true },
      color: { domain: series, scheme: "Observable10" },
      marks: [
        Plot.ruleY([0]),
        Plot.lineY(shown, { x: "at", y: "value", stroke: "series", marker: "dot", tip: { lineWidth: 30, textOverflow: "ellipsis" } }),
      ],
    };
  };
  const legend = (figure, drawing) => {
    const colours = drawing.scale("color");
    if (!colours || colours.domain.length < 2) return;
    const list = document.createElement("ul");
    list.className = "legend";
    for (const [at, name] of colours.domain.entries()) {
      const [item, swatch] = [document.createElement("li"), document.createElement("span")];
      swatch.className = "swatch";
      swatch.style.background = colours.range[at % colours.range.length];
      item.append(swatch, name.slice(0, 60));
      list.append(item);
    }
    figure.prepend(list);
  };
  const kept = new Map();
  const draw = (figure) => {
    const table = figure.parentElement.querySelector("table");
    // Read once, in the order that the report has: the table may be sorted meanwhile.
    if (!kept.has(figure)) kept.set(figure, records(table));
    const { plot, title, ...asked } = figure.dataset;
    const parts = kept.get(figure).filter((row) => asked.total === undefined || row[asked.by ?? asked.x] !== asked.total);
    const time = heads(table).find((head) => head.dataset.name === asked.x)?.dataset.kind === "time";
    const { left, ...options } = plot === "bar" ? bars(parts, asked) : lines(parts, asked, time);
    const drawing = Plot.plot({
      ...options,
      width: Math.max(280, figure.clientWidth),
      style: { background: "none", color: "currentColor", fontSize: "12px" },
      ariaLabel: `${title}: ${words(asked.y)} by ${words(asked.x)}`,
      ariaDescription: "The table below says the same.",
    });
    drawing.setAttribute("role", "img");
    figure.replaceChildren(drawing);
    legend(figure, drawing);
    if (left) {
      const caption = document.createElement("figcaption");
      caption.className = "note";
      caption.textContent = `${left} more are in the table alone.`;
      figure.append(caption);
    }
  };

  const ago = (time) => {
    const minutes = Math.round((Date.parse(time.dateTime) - Date.now()) / 60_000);
    const [amount, unit] =
      Math.abs(minutes) < 120 ? [minutes, "minute"] : Math.abs(minutes) < 2880 ? [minutes / 60, "hour"] : [minutes / 1440, "day"];
    time.after(`, ${new Intl.RelativeTimeFormat("en").format(Math.round(amount), unit)}`);
  };

  const figures = [...document.querySelectorAll("figure[data-plot]")];
  const widths = new Map();
  const drawn = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      if (widths.get(target) === target.clientWidth) continue;
      widths.set(target, target.clientWidth);
      draw(target);
    }
  });
  for (const figure of figures) {
    widths.set(figure, figure.clientWidth);
    draw(figure);
    drawn.observe(figure);
  }
  for (const table of document.querySelectorAll("table")) {
    sortable(table);
    downloadable(table);
  }
  for (const time of document.querySelectorAll("time")) ago(time);
})();
