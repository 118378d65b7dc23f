// SPDX-License-Identifier: Apache-2.0
// Below the timeline: evidence, what was ruled out, what could not be seen, what to do next.

function valueText(value) {
  if (value === null) return "";
  return typeof value === "number" ? Number(value.toPrecision(4)).toLocaleString("en-GB", {maximumFractionDigits: 6})
    : value;
}

function evidenceOf(incident) {
  const rows = incident.evidence.map((item) => el("tr", null,
    el("td", null, item.text),
    el("td", {class: "number"}, valueText(item.value)),
    el("td", null, spaced(item.signal)),
    el("td", null, timeElement(item.at, timeOfDay.format(Date.parse(item.at))))));
  return card("evidence", "Evidence", null,
    rows.length ? el("div", {class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "evidence-title"},
      el("table", {class: "stacked"},
        el("thead", null, el("tr", null, el("th", {scope: "col"}, "What was seen"),
          el("th", {scope: "col", class: "number"}, "Value"), el("th", {scope: "col"}, "Signal"),
          el("th", {scope: "col"}, "Last at"))),
        el("tbody", null, rows)))
      : el("p", {class: "muted"}, "none beyond the ladder"));
}

function ruledOutOf(incident) {
  const candidates = incident.candidates.length > 1 ? [
    el("h3", null, "What else it could be"),
    el("ul", {class: "bars"}, incident.candidates.map((candidate) => el("li", null,
      el("span", null, candidate.type, candidate.cause ? ` (${candidate.cause})` : ""),
      meter(candidate.probability), el("span", {class: "number"}, candidate.probability.toFixed(2))))),
    incident.words.would_split
      ? el("p", null, el("span", {class: "muted"}, "What would tell them apart: "), incident.words.would_split) : null,
  ] : null;
  return card("ruled-out", "Ruled out, and why", null,
    incident.ruled_out.length
      ? el("ul", {class: "list"}, incident.ruled_out.map((item) =>
        el("li", {"data-sign": "✕"}, el("b", null, `not ${item.type}`), `: ${item.because}`)))
      : el("p", {class: "muted"}, "nothing else came close"),
    candidates);
}

function blindSpotsOf(incident, data) {
  const spots = [...data.blind_spots];
  if (incident && incident.observer.lost_records > 0) {
    spots.unshift(`${count(incident.observer.lost_records, "record")} lost while this went on`);
  }
  const whole = data.hooks.filter((hook) => hook.state !== "missing").length;
  return card("unseen", "What netwatch could not see",
    data.hooks.length ? `${whole} of ${data.hooks.length} hooks in place, ${count(data.lost_records, "record")} lost.`
      : "Which hooks were in use is not in the recording.",
    spots.length ? el("ul", {class: "list"}, spots.map((spot) => el("li", {"data-sign": "?"}, spot)))
      : el("p", {class: "muted"}, "nothing that it knows of"));
}

function copyButton(code) {
  const button = el("button", {type: "button"}, "Copy", hiddenText(` ${code.textContent}`));
  button.addEventListener("click", async () => {
    const range = document.createRange();
    range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.firstChild.data = "Copied";
    } catch {
      button.firstChild.data = "Selected";  // where a browser lets no page copy
    }
    setTimeout(() => { button.firstChild.data = "Copy"; }, 1500);
  });
  return button;
}

function commandLine(text, effect) {
  const code = el("code", null, text);
  return el("div", {class: "command"}, code,
    effect === "change" ? el("span", {class: "changes"}, "▲ changes something") : null, copyButton(code));
}

function nextOf(incident, data) {
  const steps = incident.advice.map((advice) => el("li", null, advice.text,
    advice.command ? commandLine(advice.command, advice.effect) : null));
  if (incident.destination && !data.source.startsWith("-")) {
    const {ip, port} = incident.destination;
    const target = port === undefined ? ip : ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
    steps.push(el("li", null, "On this host, the same ladder as it is now.", commandLine(`netwatch why ${target}`)));
  }
  return card("next", "What to do next", null, steps.length ? el("ol", {class: "steps"}, steps)
    : el("p", {class: "muted"}, "nothing more to look at"));
}
