// SPDX-License-Identifier: Apache-2.0
// What led to what: the change, the root cause, where it struck, its symptoms, who was hurt. The boxes are lists
// that read well by themselves; the lines between them are drawn over them.

const mostNodes = 12;  // of one level
const mostApart = 2;   // processes with a box each: lines to a second row would run behind the first one's boxes

function node(kind, tone, ...content) {
  return el("li", {class: `node ${tone}`}, el("span", {class: "kind"}, kind), content);
}

function level(name, nodes) {
  return el("li", {class: "level"}, hiddenText(name), el("ul", null, nodes));
}

function incidentNode(kind, incident, chosen, ...more) {
  const title = el("strong", null, incident.words.title);
  return node(kind, incident.severity,
    incident === chosen ? title : el("a", {href: `#${incident.id}`}, title),
    el("small", null, incident.words.where), more);
}

function hurtNodes(processes) {
  if (processes.length <= mostApart) return processes.map((name) => node("hurt", "", el("bdi", null, name)));
  const more = processes.length - mostNodes;
  const names = processes.slice(0, mostNodes).flatMap((name, index) => [index ? ", " : null, el("bdi", null, name)]);
  return [node("hurt", "", names, more > 0 ? ` and ${more} more` : null)];
}

function hurts(incident) {
  const {processes} = incident.impact;
  return processes.length ? el("small", null, `hurts ${processes.join(", ")}`) : null;
}

function graphOf(incident, data) {
  const byId = new Map(data.incidents.map((each) => [each.id, each]));
  const root = (incident.symptom && byId.get(incident.root_cause.incident)) || incident;
  const symptoms = data.incidents.filter((each) => each.symptom && each.root_cause.incident === root.id);
  const cause = root.words.changes.find((change) => change.bearing !== "beside");

  const levels = [];
  if (cause) {
    levels.push(level("What changed", [node("changed", "", el("strong", null, cause.text),
      el("small", null, cause.bearing === "cause" ? "the failure is what it does" : "it touches what failed"))]));
  }
  levels.push(level("Root cause", [incidentNode("root cause", root, incident)]));
  const struck = [
    ...symptoms.map((each) => incidentNode("symptom", each, incident, hurts(each))),
    ...hurtNodes(root.impact.processes),
  ];
  if (struck.length > mostNodes) {
    const more = struck.splice(mostNodes - 1).length;
    struck.push(node("and", "", `${more} more`));
  }
  if (struck.length) levels.push(level("Its symptoms, and who was hurt", struck));

  const lines = svg("svg", {"aria-hidden": "true"});
  const graph = el("div", {class: "graph"}, lines, el("ol", {class: "levels"}, levels));
  const draw = () => drawLines(graph, lines, cause && cause.bearing !== "cause");
  new ResizeObserver(draw).observe(graph);
  return card("cause", "Cause and effect", root.root_cause.statement, graph);
}

// Each box of a level hangs on the middle of the level above.
function drawLines(graph, lines, firstIsLoose) {
  const origin = graph.getBoundingClientRect();
  lines.replaceChildren();
  const levels = [...graph.querySelectorAll(".level")];
  levels.slice(1).forEach((below, index) => {
    const above = [...levels[index].querySelectorAll(".node")].map((each) => each.getBoundingClientRect());
    const fromY = Math.max(...above.map((box) => box.bottom)) - origin.top;
    const fromX = (Math.min(...above.map((box) => box.left)) + Math.max(...above.map((box) => box.right))) / 2 -
      origin.left;
    for (const each of below.querySelectorAll(".node")) {
      const box = each.getBoundingClientRect();
      const toX = box.left + box.width / 2 - origin.left;
      const toY = box.top - origin.top;
      const bend = Math.max(8, (toY - fromY) / 2);
      lines.append(
        svg("path", {
          d: `M${fromX} ${fromY}C${fromX} ${fromY + bend} ${toX} ${toY - bend} ${toX} ${toY - 5}`,
          class: firstIsLoose && index === 0 ? "loose" : "",
        }),
        svg("path", {class: "tip", d: `M${toX} ${toY}l-4.5 -8h9z`}));
    }
  });
}
