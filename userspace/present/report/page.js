// SPDX-License-Identifier: Apache-2.0
// Puts the page together, for the incident that the address names or else the one that was chosen.

const mostOpen = 4;  // a longer list is folded: the answer has to be seen first

function headerOf(data) {
  const from = Date.parse(data.begins);
  const to = Date.parse(data.ends);
  return [
    el("p", {class: "brand"}, "netwatch ", el("span", null, "report")),
    el("p", {class: "facts"}, el("bdi", null, data.host.name), " · kernel ", el("bdi", null, data.host.kernel),
      ` · recorded ${spanHere(from, to)} (${duration(to - from)})`),
  ];
}

function listOf(data, chosen) {
  const roots = data.incidents.filter((each) => !each.symptom);
  const of = (root) => data.incidents.filter((each) => each.symptom && each.root_cause.incident === root.id);
  const ordered = roots.flatMap((root) => [root, ...of(root)]);
  const rest = data.incidents.filter((each) => !ordered.includes(each));
  return el("details", {open: data.incidents.length <= mostOpen},
    el("summary", null, `${count(data.incidents.length + data.incidents_left_out, "incident")} in this recording`,
      data.incidents_left_out ? `, the first ${data.incidents.length} of them here` : ""),
    el("ul", null, [...ordered, ...rest].map((each) => {
      const {from, to} = spanOf(each);
      return el("li", {class: each.symptom ? "symptom" : ""},
        el("a", {href: `#${each.id}`, class: each.severity, "aria-current": each === chosen ? "true" : null},
          el("span", {class: "sign"}, el("span", {"aria-hidden": "true"}, signs[each.severity]),
            hiddenText(`${each.severity}${each.symptom ? " symptom" : ""}: `)),
          el("span", null, el("strong", null, each.words.title), " ", each.words.where),
          el("span", {class: "when"}, `${timeOfDay.format(from)}, `,
            to === null ? each.state : duration(to - from))));
    })));
}

function show(data) {
  const asked = decodeURIComponent(location.hash.slice(1));
  const incident = data.incidents.find((each) => each.id === asked) ||
    data.incidents.find((each) => each.id === data.chosen) || null;
  document.title = incident ? `${incident.words.title}: ${incident.words.where} – netwatch` : "netwatch report";
  const navigation = document.getElementById("incidents");
  navigation.hidden = data.incidents.length < 2;
  navigation.replaceChildren(...(navigation.hidden ? [] : [listOf(data, incident)]));
  const damage = data.damage
    ? el("p", {class: "notice warning", role: "note"}, "▲ The recording could not be read to its end: ", data.damage)
    : null;
  const parts = incident ? [
    heroOf(incident, data),
    el("div", {class: "columns"}, ladderOf(incident), graphOf(incident, data)),
    timelineOf(incident, data),
    el("div", {class: "columns"}, evidenceOf(incident), ruledOutOf(incident)),
    el("div", {class: "columns"}, blindSpotsOf(incident, data), nextOf(incident, data)),
  ] : [heroOfHealthy(data), timelineOf(null, data), blindSpotsOf(null, data)];
  document.getElementById("main").replaceChildren(...(damage ? [damage] : []), ...parts.filter(Boolean));
  drawCharts();
}

{
  const data = JSON.parse(document.getElementById("data").textContent);
  document.getElementById("about").append(...headerOf(data));
  document.getElementById("made").append(
    `Made by netwatch from ${data.source}. What it says is in this file as JSON, in the element “data”.`);
  show(data);
  addEventListener("hashchange", () => {
    if (!data.incidents.some((each) => each.id === decodeURIComponent(location.hash.slice(1)))) return;
    show(data);
    document.getElementById("answer").focus();
  });
}
