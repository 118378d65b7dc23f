// SPDX-License-Identifier: Apache-2.0
// All series of one destination on one time axis, with the incident's span and what changed; a table says the same
// in numbers.

const panels = [
  {
    name: "outcomes", title: "Attempts to connect that ended, per second", height: 120,
    series: [{key: "attempts", label: "connected", ink: "ok"}, {key: "failed", label: "failed", ink: "failed"}],
    text: (value) => perSecond(value), has: (columns) => columns.attempts.some((value) => value > 0),
  },
  {
    name: "rtt", title: "Round trip", height: 105, line: true,
    series: [{key: "rtt_us", label: "smallest", ink: "rtt"}],
    text: microseconds, has: (columns) => columns.rtt_us.some((value) => value !== null),
  },
  {
    name: "loss", title: "Segments lost on the way there", height: 80, least: 0.01,
    series: [{key: "loss", label: "share", ink: "loss"}],
    text: percent, has: (columns) => columns.loss.some((value) => value !== null),
  },
  {
    name: "bytes", title: "Bytes per second, both ways", height: 80, least: 1000,
    series: [{key: "bytes", label: "bytes", ink: "bytes"}],
    text: bytes, has: (columns) => columns.bytes.some((value) => value > 0),
  },
];
const gapSeconds = 5;  // measured so far apart, points are not joined

let timeline = null;  // the one on the page

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// What is measured per second as such; several destinations as one.
function columnsOf(histories, axis) {
  const sum = (key) => Array.from({length: axis.count}, (_, i) =>
    histories.reduce((total, history) => total + history[key][i], 0) / axis.step_s);
  const fold = (key, join) => Array.from({length: axis.count}, (_, i) => {
    const values = histories.map((history) => history[key][i]).filter((value) => value !== null);
    return values.length ? join(values) : null;
  });
  return {
    attempts: sum("attempts"), failed: sum("failed"), bytes: sum("bytes"),
    rtt_us: fold("rtt_us", (values) => Math.min(...values)),
    loss: fold("loss", (values) => values.reduce((total, value) => total + value, 0) / values.length),
  };
}

// Which destinations can be looked at: all of the incident together, each of them, some others.
function choicesOf(incident, data) {
  const own = incident ? incident.histories : [];
  const labelOf = (index) => {
    const {label, perspective} = data.histories[index];
    return `${perspective === "server" ? "own " : ""}${label}`;
  };
  const others = data.histories.map((_, index) => index).filter((index) => !own.includes(index));
  const choices = [];
  if (own.length > 1) choices.push({label: `all ${own.length} of the incident`, indexes: own, group: "incident"});
  own.forEach((index) => choices.push({label: labelOf(index), indexes: [index], group: "incident"}));
  others.forEach((index) => choices.push({label: labelOf(index), indexes: [index], group: "other"}));
  return choices;
}

function marksOf(incident, data) {
  if (!incident) return [];
  return incident.words.changes
    .map((change) => ({...change, at_s: Date.parse(change.at) / 1000}))
    .filter((change) => change.at_s >= data.axis.begins_s && change.at_s <= data.axis.begins_s +
      data.axis.count * data.axis.step_s)
    .sort((a, b) => a.at_s - b.at_s)
    .map((change, index) => ({...change, number: index + 1}));
}

function timelineOf(incident, data) {
  const choices = choicesOf(incident, data);
  if (!choices.length) {
    timeline = null;
    return card("timeline", "Timeline", null, el("p", {class: "muted"}, "no destination was seen in full detail"));
  }
  const {begins_s: begins, step_s: step, count: length} = data.axis;
  const span = incident && {
    from: Date.parse(incident.first_affected_at) / 1000,
    to: incident.resolved_at ? Date.parse(incident.resolved_at) / 1000 : Date.parse(data.ends) / 1000,
    open: !incident.resolved_at,
  };
  timeline = {
    data, choices, span, marks: marksOf(incident, data), charts: [], at: null,
    times: Array.from({length}, (_, i) => begins + i * step),
    whole: [begins, begins + length * step],
    body: el("div", {class: "charts", tabindex: "0", role: "group", "aria-describedby": "timeline-keys",
                     "aria-label": "Charts on one time axis"}),
    readout: el("p", {class: "readout"}),
    spoken: el("p", {class: "hidden", "aria-live": "polite"}),
    numbers: el("div", {class: "scroll"}),
  };
  timeline.body.addEventListener("keydown", onKey);
  const options = (group) => choices.map((choice, index) => choice.group === group &&
    el("option", {value: index}, choice.label));
  const select = el("select", {id: "which"},
    incident && incident.histories.length ? el("optgroup", {label: "Of the incident"}, options("incident")) : null,
    choices.some((choice) => choice.group === "other")
      ? el("optgroup", {label: data.histories_left_out ? "The busiest of the others" : "Others, to compare"},
        options("other")) : null);
  select.addEventListener("change", () => drawCharts(Number(select.value)));
  const zoom = (text, range) => {
    const button = el("button", {type: "button"}, text);
    button.addEventListener("click", () => zoomTo(range));
    return button;
  };
  return card("timeline", "Timeline", null,
    el("div", {class: "tools"},
      el("label", {for: "which"}, "Destination ", select),
      span ? zoom("The incident", aroundSpan()) : null, zoom("All of the recording", timeline.whole)),
    timeline.readout, timeline.body, timeline.spoken,
    el("p", {class: "hidden", id: "timeline-keys"},
      "Left and right arrows move along, with shift ten times as far; home and end; plus and minus zoom, escape ends it."),
    marksList(), timeline.numbers);
}

function marksList() {
  if (!timeline.marks.length) return null;
  return el("ol", {class: "ticks", "aria-label": "What changed"}, timeline.marks.map((mark) =>
    el("li", null, el("span", {class: "number"}, mark.number), timeElement(mark.at, timeOfDay.format(Date.parse(mark.at))),
      el("span", {class: mark.bearing === "cause" ? "cause" : ""}, mark.text))));
}

// The incident with as much before and after it as shows what is usual.
function aroundSpan() {
  const {span, whole} = timeline;
  const margin = Math.max(30, (span.to - span.from) / 2);
  return [Math.max(whole[0], span.from - margin), Math.min(whole[1], span.to + margin)];
}

function zoomTo(range) {
  timeline.charts.forEach((chart) => chart.setScale("x", {min: range[0], max: range[1]}));
}

function paths(panel) {
  return panel.line ? uPlot.paths.linear() : uPlot.paths.stepped({align: 1});
}

// Points are joined over a few seconds without a measurement, not over an outage.
function gaps(chart, seriesIndex, from, to, nullGaps) {
  const perPixel = (chart.scales.x.max - chart.scales.x.min) / chart.bbox.width;
  return nullGaps.filter(([left, right]) => (right - left) * perPixel > gapSeconds);
}

// No step is much longer than the one before: a narrow chart has two times below it at least.
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800];

function axesOf(panel, isLast, isNarrow) {
  const font = `${isNarrow ? 11 : 12}px system-ui, sans-serif`;
  const grid = {stroke: () => colour("line"), width: 1};
  const clock = (chart, splits, axis, space, step) => splits.map((split) => {
    const text = timeOfDay.format(split * 1000);
    return step >= 60 ? text.slice(0, 5) : text;
  });
  return [
    {
      stroke: () => colour("muted"), font, grid, ticks: {show: isLast, ...grid}, size: isLast ? 30 : 8,
      values: isLast ? clock : (chart, splits) => splits.map(() => ""), space: isNarrow ? 60 : 90, incrs: timeSteps,
    },
    {
      stroke: () => colour("muted"), font, grid, ticks: {show: false}, size: isNarrow ? 52 : 66, space: 26, gap: 6,
      values: (chart, splits) => splits.map(panel.text),
    },
  ];
}

function drawSpan(chart) {
  const {span} = timeline;
  if (!span) return;
  const {ctx, bbox} = chart;
  const place = (time) => Math.min(Math.max(chart.valToPos(time, "x", true), bbox.left), bbox.left + bbox.width);
  const left = place(span.from);
  const right = place(span.to);
  ctx.save();
  ctx.fillStyle = colour("span");
  ctx.fillRect(left, bbox.top, Math.max(right - left, 1), bbox.height);
  ctx.fillStyle = colour("critical");
  for (const edge of span.open ? [left] : [left, right]) {
    if (edge > bbox.left && edge < bbox.left + bbox.width) ctx.fillRect(edge, bbox.top, devicePixelRatio, bbox.height);
  }
  ctx.restore();
}

function drawMarks(chart) {
  const {ctx, bbox} = chart;
  const size = 15 * devicePixelRatio;
  ctx.save();
  ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  let free = -Infinity;  // where the next number has room
  for (const mark of timeline.marks) {
    const x = Math.round(chart.valToPos(mark.at_s, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = colour("mark");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (chart !== timeline.charts[0]) continue;
    const left = Math.max(x - size / 2, free);
    free = left + size + devicePixelRatio;
    ctx.fillRect(left, bbox.top, size, size);
    ctx.fillStyle = colour("card");
    ctx.fillText(mark.number, left + size / 2, bbox.top + size / 2 + devicePixelRatio);
  }
  ctx.restore();
}

function chartOf(panel, columns, isLast, width, range) {
  const isNarrow = width < 520;
  const height = panel.height + (isLast ? 26 : 0);
  return new uPlot({
    width, height, padding: [6, 26, 0, 0], legend: {show: false},
    cursor: {
      y: false, sync: {key: "report"}, drag: {x: true, y: false},
      points: {size: 7, width: 0, fill: (chart, index) => colour(`series-${panel.series[index - 1].ink}`)},
    },
    scales: {
      x: {time: true, min: range[0], max: range[1]},
      y: {range: (chart, low, high) => [0, Math.max(high * 1.12, panel.least || 0) || 1]},
    },
    axes: axesOf(panel, isLast, isNarrow),
    series: [{}, ...panel.series.map(({ink}) => ({
      stroke: () => colour(`series-${ink}`), width: panel.line ? 1.6 : 1,
      fill: panel.line ? undefined : () => colour(`series-${ink}`) + (ink === "failed" ? "f0" : "88"),
      paths: paths(panel), points: {show: panel.line, size: 3.5, fill: () => colour(`series-${ink}`)},
      ...(panel.line ? {gaps} : {}),
    }))],
    hooks: {drawClear: [drawSpan], draw: [drawMarks], setCursor: [readAt], setScale: [followScale]},
  }, [timeline.times, ...panel.series.map(({key}) => columns[key])]);
}

// One axis: where one chart is zoomed, all are.
function followScale(chart, scale) {
  if (scale !== "x" || !timeline.charts.includes(chart)) return;
  const {min, max} = chart.scales.x;
  for (const other of timeline.charts) {
    if (other !== chart && (other.scales.x.min !== min || other.scales.x.max !== max)) other.setScale("x", {min, max});
  }
}

function readAt(chart) {
  if (chart.cursor.idx === null || chart.cursor.idx === undefined) return;
  if (timeline.at === chart.cursor.idx) return;
  timeline.at = chart.cursor.idx;
  showReadout();
}

function showReadout() {
  const {at, times, columns, readout} = timeline;
  if (at === null) {
    readout.replaceChildren(el("span", null,
      "Point at a moment, or use the arrow keys, to read its numbers. Drag to zoom in, double-click to see all."));
    return;
  }
  const ms = times[at] * 1000;
  const value = (label, text) => el("span", null, `${label} `, el("b", null, text));
  readout.replaceChildren(
    el("span", null, el("b", null, `${timeOfDay.format(ms)} ${zoneAt(ms)}`),
      isUtcHere(ms) ? "" : ` · ${timeInUtc.format(ms)} UTC`),
    value("attempts", `${perSecond(columns.attempts[at])}/s`), value("failed", `${perSecond(columns.failed[at])}/s`),
    value("round trip", microseconds(columns.rtt_us[at])), value("lost", percent(columns.loss[at])),
    value("bytes", `${bytes(columns.bytes[at])}/s`));
}

function onKey(event) {
  const {charts, times} = timeline;
  if (event.ctrlKey || event.metaKey || event.altKey || !charts.length) return;
  const {min, max} = charts[0].scales.x;
  const inView = (index) => times[index] >= min && times[index] <= max;
  const first = times.findIndex((time) => time >= min);
  const last = times.findLastIndex((time) => time <= max);
  const stride = event.shiftKey ? 10 : 1;
  let at = timeline.at !== null && inView(timeline.at) ? timeline.at : Math.round((first + last) / 2);
  switch (event.key) {
    case "ArrowLeft": at -= stride; break;
    case "ArrowRight": at += stride; break;
    case "Home": at = first; break;
    case "End": at = last; break;
    case "Escape": zoomTo(timeline.whole); break;
    case "+": zoomTo([times[at] - (times[at] - min) / 2, times[at] + (max - times[at]) / 2]); break;
    case "-": {
      const margin = (max - min) / 2;
      zoomTo([Math.max(timeline.whole[0], min - margin), Math.min(timeline.whole[1], max + margin)]);
      break;
    }
    default: return;
  }
  event.preventDefault();
  at = Math.min(Math.max(at, first), last);
  charts.forEach((chart) => chart.setCursor({left: chart.valToPos(times[at], "x"), top: 10}, false));
  timeline.at = at;
  showReadout();
  timeline.spoken.textContent = timeline.readout.textContent;
}

// Before, during and after in numbers: what the charts show, as a table.
function numbersOf(columns) {
  const {span, times, data} = timeline;
  const parts = span ? [
    ["before", (time) => time < Math.floor(span.from)],
    ["during", (time) => time >= Math.floor(span.from) && time <= span.to],
    ...(span.open ? [] : [["after", (time) => time > span.to]]),
  ] : [["all", () => true]];
  const step = data.axis.step_s;
  const rows = parts.map(([name, within]) => {
    const picked = (key) => columns[key].filter((value, i) => within(times[i]) && value !== null);
    const total = (key) => Math.round(picked(key).reduce((sum, value) => sum + value, 0) * step);
    const median = (key) => {
      const sorted = picked(key).sort((a, b) => a - b);
      return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
    };
    const mean = (key) => {
      const values = picked(key);
      return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null;
    };
    const attempts = total("attempts");
    return el("tr", null, el("th", {scope: "row"}, name),
      el("td", {class: "number"}, duration(picked("attempts").length * step * 1000)),
      el("td", {class: "number"}, attempts.toLocaleString("en-GB")),
      el("td", {class: "number"}, total("failed").toLocaleString("en-GB"),
        attempts ? ` (${percent(total("failed") / attempts)})` : ""),
      el("td", {class: "number"}, microseconds(median("rtt_us"))), el("td", {class: "number"}, percent(mean("loss"))),
      el("td", {class: "number"}, bytes(mean("bytes"))));
  });
  const head = (text) => el("th", {scope: "col", class: "number"}, text);
  return el("table", null, el("caption", {class: "hidden"}, "The timeline in numbers"),
    el("thead", null, el("tr", null, el("td", null), head("length"), head("attempts"), head("failed"),
      head("round trip, median"), head("lost, mean"), head("bytes/s, mean"))),
    el("tbody", null, rows));
}

// Draws the charts of one choice at the width that there is; keeps what is zoomed to.
function drawCharts(choice = timeline ? timeline.choice || 0 : 0) {
  if (!timeline) return;
  const scale = timeline.charts.length ? timeline.charts[0].scales.x : null;
  const range = scale ? [scale.min, scale.max] : timeline.span ? aroundSpan() : timeline.whole;
  timeline.charts.forEach((chart) => chart.destroy());
  timeline.choice = choice;
  timeline.at = null;
  timeline.columns = columnsOf(timeline.choices[choice].indexes.map((i) => timeline.data.histories[i]), timeline.data.axis);
  const shown = panels.filter((panel) => panel.has(timeline.columns));
  const width = Math.max(240, Math.floor(timeline.body.clientWidth));
  timeline.charts = shown.map((panel, index) =>
    chartOf(panel, timeline.columns, index === shown.length - 1, width, range));
  timeline.body.replaceChildren(...shown.map((panel, index) => el("figure", {class: "chart"},
    el("figcaption", null, panel.title,
      panel.series.length > 1 ? panel.series.map(({label, ink}) => el("span", {class: `key ink-${ink}`}, label)) : null),
    el("div", {"aria-hidden": "true"}, timeline.charts[index].root))));
  const silent = panels.filter((panel) => !shown.includes(panel));
  if (silent.length) {
    timeline.body.append(el("p", {class: "muted"},
      `Nothing measured: ${silent.map((panel) => panel.title.toLowerCase()).join("; ")}.`));
  }
  timeline.numbers.replaceChildren(numbersOf(timeline.columns));
  showReadout();
}

function resizeCharts(width) {
  if (!timeline) return;
  for (const chart of timeline.charts) {
    if (chart.width !== width) chart.setSize({width, height: chart.height});
  }
}

addEventListener("resize", () => timeline && resizeCharts(Math.max(240, Math.floor(timeline.body.clientWidth))));
addEventListener("beforeprint", () => resizeCharts(640));
addEventListener("afterprint", () => timeline && resizeCharts(Math.floor(timeline.body.clientWidth)));
for (const query of ["(prefers-color-scheme: dark)", "print"]) {
  matchMedia(query).addEventListener("change", () => timeline && timeline.charts.forEach((chart) => chart.redraw()));
}
