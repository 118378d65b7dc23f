// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/fields.h"
#include "present/inert.h"
#include "present/json.h"

namespace netwatch::present {
namespace {

using nlohmann::json;

json text(const std::string& value) { return valid_utf8(value); }

json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

template <typename T>
json nullable(const std::optional<T>& value) {
    if (!value) return nullptr;
    if constexpr (std::is_same_v<T, std::string>) {
        return text(*value);
    } else if constexpr (std::is_same_v<T, double>) {
        return number(*value);
    } else if constexpr (std::is_same_v<T, core::UtcNs>) {
        return core::to_rfc3339(*value);
    } else if constexpr (std::is_enum_v<T>) {
        return model::to_string(*value);
    } else {
        return *value;
    }
}

json texts(const std::vector<std::string>& values) {
    json array = json::array();
    for (const auto& value : values) array.push_back(text(value));
    return array;
}

template <typename T, typename Write>
json array_of(const T& values, Write write) {
    json array = json::array();
    for (const auto& value : values) array.push_back(write(value));
    return array;
}

json ip_of(const std::optional<model::Endpoint>& endpoint) {
    return endpoint ? json(endpoint->ip.to_string()) : json(nullptr);
}

json port_of(const std::optional<model::Endpoint>& endpoint) {
    return endpoint && endpoint->port != 0 ? json(endpoint->port) : json(nullptr);
}

json write_destination(const model::DestinationRef& ref) {
    json object = {
        {"ip", ref.endpoint.ip.to_string()}, {"protocol", model::to_string(ref.endpoint.protocol)},
        {"name", nullable(ref.name)},        {"sni", nullable(ref.sni)},
        {"region", nullable(ref.region)},    {"real_ip", ip_of(ref.real)},
        {"real_port", port_of(ref.real)},    {"asked_ip", ip_of(ref.asked)},
        {"asked_port", port_of(ref.asked)},
    };
    if (ref.endpoint.port != 0) object["port"] = ref.endpoint.port;
    return object;
}

json write_source(const model::SourceRef& source) {
    return {
        {"netns", nullable(source.netns)},
        {"pid", nullable(source.pid)},
        {"comm", nullable(source.comm)},
        {"cgroup", nullable(source.cgroup)},
        {"container", nullable(source.container)},
        {"pod", nullable(source.pod)},
        {"namespace", nullable(source.pod_namespace)},
        {"workload", nullable(source.workload)},
        {"node", nullable(source.node)},
    };
}

json write_candidate(const model::Candidate& candidate) {
    return {{"type", model::to_string(candidate.type)},
            {"cause", nullable(candidate.cause)},
            {"probability", number(candidate.probability)},
            {"would_split", nullable(candidate.would_split)}};
}

json write_impact(const model::Impact& impact) {
    return {{"attempts", impact.attempts},
            {"failed", impact.failed},
            {"flows", impact.flows},
            {"share", nullable(impact.share)},
            {"processes", texts(impact.processes)}};
}

json write_change(const model::Change& change) {
    return {{"at", core::to_rfc3339(change.at)},
            {"what", text(change.what)},
            {"by", nullable(change.by)},
            {"bearing", model::to_string(change.bearing)}};
}

json write_evidence(const model::EvidenceItem& item) {
    json value = nullptr;
    if (const auto* measured = std::get_if<double>(&item.value)) value = number(*measured);
    if (const auto* word = std::get_if<std::string>(&item.value)) value = text(*word);
    return {{"signal", text(item.signal)},
            {"value", value},
            {"text", text(item.text)},
            {"at", core::to_rfc3339(item.at)}};
}

json write_ruled_out(const model::RuledOut& ruled) {
    return {{"type", model::to_string(ruled.type)}, {"because", text(ruled.because)}};
}

json write_step(const model::LadderStep& step) {
    return {{"step", model::to_string(step.step)},
            {"status", model::to_string(step.status)},
            {"evidence", text(step.evidence)}};
}

json write_root_cause(const model::RootCause& root) {
    json object = {{"statement", text(root.statement)},
                   {"incident", nullable(root.incident)},
                   {"offender", nullable(root.offender)}};
    // The contract's type is a word or absent, never null.
    if (root.type) object["type"] = model::to_string(*root.type);
    return object;
}

json write_advice(const model::Advice& advice) {
    return {{"text", text(advice.text)},
            {"command", nullable(advice.command)},
            {"effect", model::to_string(advice.effect)}};
}

json write_observer(const model::Observer& observer) {
    return {{"lost_records", observer.lost_records},
            {"missing_hooks", texts(observer.missing_hooks)},
            {"baseline", model::to_string(observer.baseline)}};
}

json write_point(const model::SeriesPoint& point) {
    return {{"at", core::to_rfc3339(point.at)},
            {"attempts", point.attempts},
            {"failed", point.failed},
            {"rtt_us", nullable(point.rtt_us)},
            {"loss_share", nullable(point.loss_share)},
            {"bytes", number(point.bytes)}};
}

json field_value(const model::Field& field, const model::DestinationRow& row) {
    const model::FieldValue value = field.value(row);
    if (const auto* word = std::get_if<std::string>(&value)) return text(*word);
    const auto* measured = std::get_if<double>(&value);
    if (measured == nullptr) return nullptr;
    if (field.unit == model::Unit::count) return static_cast<std::uint64_t>(*measured);
    return number(*measured);
}

// Every field of the registry under its id, and what only the row itself has.
json write_row(const model::DestinationRow& row) {
    json object = {
        {"ref", write_destination(row.ref)},
        {"netns", row.netns},
        {"processes", texts(row.processes)},
        {"established", row.established},
        {"abandoned", row.abandoned},
        {"bytes_sent_per_s", number(row.bytes_sent_per_s)},
        {"bytes_received_per_s", number(row.bytes_received_per_s)},
        {"last_success_at", nullable(row.last_success_at)},
        {"last_failure_at", nullable(row.last_failure_at)},
        {"severity", nullable(row.severity)},
        {"type", nullable(row.type)},
        {"incident", nullable(row.incident)},
        {"judged", row.judged},
        {"series", array_of(row.series, write_point)},
    };
    for (const auto& field : model::destination_fields())
        object[std::string(field.id)] = field_value(field, row);
    return object;
}

json write_hook(const model::HookStatus& hook) {
    return {{"signal", text(hook.signal)},
            {"hook", text(hook.hook)},
            {"state", text(hook.state)},
            {"lost", text(hook.lost)},
            {"reason", text(hook.reason)}};
}

json write_account(const model::AccountRow& row) {
    return {{"kind", text(row.kind)},
            {"seen", row.seen},
            {"filtered", row.filtered},
            {"emitted", row.emitted},
            {"dropped", row.dropped}};
}

json incident_verdict(const model::Incident& incident) {
    return {
        {"schema", "netwatch.incident/1"},
        {"id", text(incident.id)},
        {"state", model::to_string(incident.state)},
        {"type", model::to_string(incident.type)},
        {"cause", nullable(incident.cause)},
        {"candidates", array_of(incident.candidates, write_candidate)},
        {"confidence", number(incident.confidence)},
        {"severity", model::to_string(incident.severity)},
        {"scope",
         {{"kind", model::to_string(incident.scope.kind)},
          {"value", nullable(incident.scope.value)},
          {"members", texts(incident.scope.members)}}},
        {"perspective", model::to_string(incident.perspective)},
        {"destination", incident.destination ? write_destination(*incident.destination) : json(nullptr)},
        {"source", write_source(incident.source)},
        {"impact", write_impact(incident.impact)},
        {"owner_hint", model::to_string(incident.owner_hint)},
    };
}

}  // namespace

nlohmann::json to_json(const model::Incident& incident) {
    json object = incident_verdict(incident);
    object.update(json{
        {"changes", array_of(incident.changes, write_change)},
        {"first_affected_at", core::to_rfc3339(incident.first_affected_at)},
        {"opened_at", core::to_rfc3339(incident.opened_at)},
        {"detected_at", core::to_rfc3339(incident.detected_at)},
        {"resolved_at", nullable(incident.resolved_at)},
        {"resolution", nullable(incident.resolution)},
        {"occurrences", incident.occurrences},
        {"summary", text(incident.summary)},
        {"evidence", array_of(incident.evidence, write_evidence)},
        {"ruled_out", array_of(incident.ruled_out, write_ruled_out)},
        {"ladder", array_of(incident.ladder, write_step)},
        {"root_cause", write_root_cause(incident.root_cause)},
        {"symptom", incident.symptom},
        {"advice", array_of(incident.advice, write_advice)},
        {"observer", write_observer(incident.observer)},
    });
    return object;
}

nlohmann::json to_json(const model::Ladder& ladder) {
    return {
        {"schema", "netwatch.ladder/1"},
        {"target", text(ladder.target)},
        {"destinations", array_of(ladder.destinations, write_destination)},
        {"verdict", model::to_string(ladder.verdict)},
        {"summary", text(ladder.summary)},
        {"ladder", array_of(ladder.steps, write_step)},
        {"incidents", texts(ladder.incidents)},
        {"advice", array_of(ladder.advice, write_advice)},
    };
}

nlohmann::json to_json(const model::CounterSourceStatus& source) {
    return {{"source", text(source.source)},
            {"there", source.there},
            {"lost", text(source.lost)},
            {"reason", text(source.reason)}};
}

nlohmann::json to_json(const model::ObserverStatus& observer) {
    return {
        {"lost_records", observer.lost_records},
        {"evicted_destinations", observer.evicted_destinations},
        {"udp_not_judged", observer.udp_not_judged},
        {"sockets", observer.sockets},
        {"destinations", observer.destinations},
        {"last_walk_at", nullable(observer.last_walk_at)},
        {"hooks", array_of(observer.hooks, write_hook)},
        {"counters",
         array_of(observer.counters, [](const model::CounterSourceStatus& one) { return to_json(one); })},
        {"accounts", array_of(observer.accounts, write_account)},
        {"recording", nullable(observer.recording)},
        {"recording_error", nullable(observer.recording_error)},
    };
}

nlohmann::json to_json(const model::HostView& view) {
    return {
        {"schema", "netwatch.view/1"},
        {"host",
         {{"name", text(view.hostname)}, {"kernel", text(view.kernel)}, {"boot_id", text(view.boot_id)}}},
        {"agent_version", text(view.agent_version)},
        {"observed_netns_count", view.observed_netns_count},
        {"at", core::to_rfc3339(view.at)},
        {"started_at", core::to_rfc3339(view.started_at)},
        {"attempts_per_s", number(view.attempts_per_s)},
        {"incidents", array_of(view.incidents, [](const auto& incident) { return to_json(incident); })},
        {"destinations", array_of(view.destinations, write_row)},
        {"matching", view.matching},
        {"observer", to_json(view.observer)},
    };
}

std::string to_text(const nlohmann::json& json, int indent) {
    return json.dump(indent, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace netwatch::present
