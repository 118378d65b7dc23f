// SPDX-License-Identifier: Apache-2.0
// The first ten seconds: the sentence, when, who was hurt, what changed, how sure; and the ladder.

const owners = {
  app: "the application", host: "this host", platform: "the platform", provider: "the provider",
  remote: "the other side", unknown: "not known",
};

// An incident with its times as numbers.
function spanOf(incident) {
  return {
    from: Date.parse(incident.first_affected_at),
    to: incident.resolved_at ? Date.parse(incident.resolved_at) : null,
    detected: Date.parse(incident.detected_at),
  };
}

function stateWords(incident, end) {
  const {from, to} = spanOf(incident);
  if (incident.state === "resolved") {
    const how = incident.resolution || "resolved";
    return to === null ? how : `${how} after ${duration(to - from)}`;
  }
  if (incident.state === "open") return `still open at the end, ${duration(end - from)}`;
  if (incident.state === "stale") return "stale: nothing has tried it since, nothing has succeeded";
  return "suspected";
}

function timeElement(iso, text) {
  return el("time", {datetime: iso}, text);
}

function whenFact(incident) {
  const {from, to, detected} = spanOf(incident);
  const length = to === null ? "" : `${duration(to - from)}, `;
  return el("dd", null,
    el("strong", null, timeElement(incident.first_affected_at, spanHere(from, to))),
    isUtcHere(from) ? null : el("small", null, spanInUtc(from, to)),
    el("small", null, `${length}named after ${duration(detected - from)}`));
}

function hurtFact(incident) {
  const {processes, attempts, failed, flows, share} = incident.impact;
  const numbers = [];
  if (attempts > 0) numbers.push(`${failed.toLocaleString("en-GB")} of ${count(attempts, "attempt")} failed`);
  if (flows > 0) numbers.push(count(flows, "established connection"));
  if (share !== null) numbers.push(`${percent(share)} of what was tried`);
  return el("dd", null,
    el("strong", null, processes.length ? processes.map((name, i) => [i ? ", " : "", el("bdi", null, name)])
      : "no process is known"),
    numbers.map((text) => el("small", null, text)));
}

function sureFact(incident) {
  return el("dd", null,
    el("strong", null, incident.confidence.toFixed(2)), meter(incident.confidence),
    incident.words.alternatives ? el("small", null, incident.words.alternatives) : null,
    el("small", null, `whose: ${owners[incident.owner_hint]}`));
}

function nextFact(incident) {
  const [first] = incident.advice;
  if (!first) return null;
  return el("div", {class: "next"}, el("dt", null, "Next"),
    el("dd", null, first.text, first.command ? [" ", el("code", null, first.command)] : null));
}

function heroOf(incident, data) {
  const verdict = incident.words.network ? "network" : "not the network";
  return el("section", {class: `card hero ${incident.severity}`, id: "answer", "aria-labelledby": "sentence",
                        tabindex: "-1"},
    el("p", {class: "eyebrow"},
      el("span", {class: "pill tone"}, `${signs[incident.severity]} ${incident.severity}`),
      el("span", {class: "pill tone"}, incident.words.title),
      el("span", {class: "pill"}, verdict),
      incident.symptom ? el("span", {class: "pill"}, "symptom") : null,
      el("span", {class: "pill"}, stateWords(incident, Date.parse(data.ends)))),
    el("h1", {id: "sentence"}, incident.summary),
    el("dl", null,
      el("div", null, el("dt", null, "When"), whenFact(incident)),
      el("div", null, el("dt", null, "Who was hurt"), hurtFact(incident)),
      el("div", null, el("dt", null, "What changed"),
        el("dd", null, incident.words.changed ? el("strong", null, incident.words.changed)
          : "nothing on this host that bears on it")),
      el("div", null, el("dt", null, "How sure"), sureFact(incident)),
      nextFact(incident)));
}

function heroOfHealthy(data) {
  const from = Date.parse(data.begins);
  const to = Date.parse(data.ends);
  return el("section", {class: "card hero ok", id: "answer", "aria-labelledby": "sentence", tabindex: "-1"},
    el("p", {class: "eyebrow"}, el("span", {class: "pill tone"}, "✔ no incident")),
    el("h1", {id: "sentence"}, "Nothing was wrong with the network as far as this host could see."),
    el("dl", null,
      el("div", null, el("dt", null, "When"),
        el("dd", null, el("strong", null, spanHere(from, to)),
          isUtcHere(from) ? null : el("small", null, spanInUtc(from, to)))),
      el("div", null, el("dt", null, "Watched"),
        el("dd", null, count(data.histories.length + data.histories_left_out, "destination")))));
}

const statusWords = {ok: "fine", degraded: "degraded", failing: "failing", unknown: "not known"};

function ladderOf(incident) {
  return card("ladder", "The ladder", "Each rung that an engineer would test by hand, from what was seen.",
    el("ol", {class: "ladder"}, incident.ladder.map((rung) =>
      el("li", {class: tones[rung.status]},
        el("span", {class: "sign", title: statusWords[rung.status]},
          el("span", {"aria-hidden": "true"}, signs[rung.status]), hiddenText(`${statusWords[rung.status]}: `)),
        el("span", {class: "rung"}, rung.step),
        el("span", {class: "evidence"}, rung.evidence)))));
}
