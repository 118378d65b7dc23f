// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "present/json.h"

namespace netwatch::present {
namespace {

using nlohmann::json;

// Thrown and caught within this file only.
struct Malformed {
    std::string what;
};

// A member of the document together with its path, for the message when it is not what it should be.
class Member {
public:
    Member(const json& value, std::string path) : value_(value), path_(std::move(path)) {}

    [[nodiscard]] Member at(const char* key) const {
        const auto found = object().find(key);
        if (found == value_.end()) throw Malformed{fmt::format("{} is missing", join(key))};
        return {*found, join(key)};
    }

    // Absent and null are the same.
    [[nodiscard]] bool has(const char* key) const {
        const auto found = object().find(key);
        return found != value_.end() && !found->is_null();
    }

    [[nodiscard]] std::string text() const {
        if (!value_.is_string()) wrong("text");
        return value_.get<std::string>();
    }

    [[nodiscard]] bool boolean() const {
        if (!value_.is_boolean()) wrong("true or false");
        return value_.get<bool>();
    }

    [[nodiscard]] double number() const {
        if (!value_.is_number()) wrong("a number");
        return value_.get<double>();
    }

    template <typename T>
    [[nodiscard]] T integer() const {
        if (value_.is_number_unsigned() && std::in_range<T>(value_.get<std::uint64_t>()))
            return value_.get<T>();
        // A value that was built and not parsed may be a positive number of signed type.
        if (value_.is_number_integer() && !value_.is_number_unsigned() &&
            std::in_range<T>(value_.get<std::int64_t>())) {
            return value_.get<T>();
        }
        wrong(fmt::format("an integer from {} to {}", std::numeric_limits<T>::min(),
                          std::numeric_limits<T>::max()));
    }

    [[nodiscard]] core::UtcNs time() const {
        const auto at = core::parse_rfc3339(text());
        if (!at) wrong("an RFC 3339 time");
        return *at;
    }

    template <typename Enum>
    [[nodiscard]] Enum word() const {
        const auto value = model::from_string<Enum>(text());
        if (!value) wrong("a word of the contract");
        return *value;
    }

    [[nodiscard]] model::IpAddress ip() const {
        const auto address = model::IpAddress::parse(text());
        if (!address) wrong("an IP address");
        return *address;
    }

    [[nodiscard]] std::size_t size() const {
        if (!value_.is_array()) wrong("an array");
        return value_.size();
    }

    [[nodiscard]] Member at(std::size_t index) const {
        return {value_.at(index), fmt::format("{}[{}]", path_, index)};
    }

    template <typename Read>
    [[nodiscard]] auto list(Read read) const {
        std::vector<decltype(read(*this))> values;
        values.reserve(size());
        for (std::size_t i = 0; i < value_.size(); ++i) values.push_back(read(at(i)));
        return values;
    }

    [[nodiscard]] bool is_text() const { return value_.is_string(); }

    [[noreturn]] void wrong(std::string_view expected) const {
        throw Malformed{fmt::format("{} is not {}", path_.empty() ? "the document" : path_, expected)};
    }

private:
    [[nodiscard]] const json& object() const {
        if (!value_.is_object()) wrong("an object");
        return value_;
    }

    [[nodiscard]] std::string join(const char* key) const { return path_.empty() ? key : path_ + "." + key; }

    const json& value_;
    std::string path_;
};

template <typename Read>
auto optional(const Member& object, const char* key, Read read) -> std::optional<decltype(read(object))> {
    if (!object.has(key)) return std::nullopt;
    return read(object.at(key));
}

std::string read_text(const Member& member) { return member.text(); }
double read_number(const Member& member) { return member.number(); }
core::UtcNs read_time(const Member& member) { return member.time(); }
std::vector<std::string> read_texts(const Member& member) { return member.list(read_text); }

std::optional<std::string> optional_text(const Member& object, const char* key) {
    return optional(object, key, read_text);
}

void expect_schema(const Member& document, std::string_view schema) {
    if (document.at("schema").text() != schema) document.at("schema").wrong(schema);
}

model::Protocol read_protocol(const Member& member) {
    const std::string word = member.text();
    if (word == "tcp") return model::Protocol::tcp;
    if (word != "udp") member.wrong("tcp or udp");
    return model::Protocol::udp;
}

std::uint16_t read_port(const Member& member) { return member.integer<std::uint16_t>(); }

// An endpoint of which the address may be null, as real_ip and real_port are.
std::optional<model::Endpoint> read_other_endpoint(const Member& ref, const char* ip, const char* port,
                                                   model::Protocol protocol) {
    if (!ref.has(ip)) return std::nullopt;
    return model::Endpoint{ref.at(ip).ip(), optional(ref, port, read_port).value_or(0), protocol};
}

model::DestinationRef read_destination(const Member& member) {
    const model::Protocol protocol = read_protocol(member.at("protocol"));
    model::DestinationRef ref;
    ref.endpoint = {member.at("ip").ip(), optional(member, "port", read_port).value_or(0), protocol};
    ref.name = optional_text(member, "name");
    ref.sni = optional_text(member, "sni");
    ref.region = optional_text(member, "region");
    ref.real = read_other_endpoint(member, "real_ip", "real_port", protocol);
    ref.asked = read_other_endpoint(member, "asked_ip", "asked_port", protocol);
    return ref;
}

std::uint32_t read_u32(const Member& member) { return member.integer<std::uint32_t>(); }
std::uint64_t read_u64(const Member& member) { return member.integer<std::uint64_t>(); }

model::SourceRef read_source(const Member& member) {
    model::SourceRef source;
    source.netns = optional(member, "netns", read_u32);
    source.pid = optional(member, "pid", read_u32);
    source.comm = optional_text(member, "comm");
    source.cgroup = optional_text(member, "cgroup");
    source.container = optional_text(member, "container");
    source.pod = optional_text(member, "pod");
    source.pod_namespace = optional_text(member, "namespace");
    source.workload = optional_text(member, "workload");
    source.node = optional_text(member, "node");
    return source;
}

// network_congestion names a root cause, never an incident's own type.
model::FailureType read_type(const Member& member) {
    const auto type = member.word<model::FailureType>();
    if (type == model::FailureType::network_congestion) member.wrong("a type that an incident can have");
    return type;
}

model::Candidate read_candidate(const Member& member) {
    return {read_type(member.at("type")), optional_text(member, "cause"), member.at("probability").number(),
            optional_text(member, "would_split")};
}

model::Scope read_scope(const Member& member) {
    return {member.at("kind").word<model::ScopeKind>(), optional_text(member, "value"),
            read_texts(member.at("members"))};
}

model::Impact read_impact(const Member& member) {
    return {member.at("attempts").integer<std::int64_t>(), member.at("failed").integer<std::int64_t>(),
            member.at("flows").integer<std::int64_t>(), optional(member, "share", read_number),
            read_texts(member.at("processes"))};
}

model::Change read_change(const Member& member) {
    model::Change change{member.at("at").time(), member.at("what").text(), optional_text(member, "by")};
    if (member.has("bearing")) change.bearing = member.at("bearing").word<model::Bearing>();
    return change;
}

model::EvidenceItem read_evidence(const Member& member) {
    model::EvidenceItem item{
        member.at("signal").text(), {}, member.at("text").text(), member.at("at").time()};
    if (member.has("value")) {
        const Member value = member.at("value");
        if (value.is_text()) {
            item.value = value.text();
        } else {
            item.value = value.number();
        }
    }
    return item;
}

model::RuledOut read_ruled_out(const Member& member) {
    return {read_type(member.at("type")), member.at("because").text()};
}

model::LadderSteps read_steps(const Member& member) {
    if (member.size() != model::rung_count) member.wrong("a ladder of eight rungs");
    model::LadderSteps steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const Member step = member.at(i);
        if (step.at("step").word<model::Rung>() != model::all_rungs[i])
            step.at("step").wrong("the rung of its place");
        steps[i] = {model::all_rungs[i], step.at("status").word<model::LadderStatus>(),
                    step.at("evidence").text()};
    }
    return steps;
}

model::RootCause read_root_cause(const Member& member) {
    return {member.at("statement").text(),
            optional(member, "type", [](const Member& type) { return type.word<model::FailureType>(); }),
            optional_text(member, "incident"), optional_text(member, "offender")};
}

model::Advice read_advice(const Member& member) {
    model::Advice advice{member.at("text").text(), optional_text(member, "command"),
                         model::Effect::read_only};
    if (member.has("effect")) advice.effect = member.at("effect").word<model::Effect>();
    return advice;
}

model::Observer read_observer(const Member& member) {
    model::Observer observer;
    observer.lost_records = member.at("lost_records").integer<std::int64_t>();
    if (member.has("missing_hooks")) observer.missing_hooks = read_texts(member.at("missing_hooks"));
    if (member.has("baseline")) observer.baseline = member.at("baseline").word<model::Baseline>();
    return observer;
}

void read_verdict(const Member& member, model::Incident& incident) {
    incident.id = member.at("id").text();
    incident.state = member.at("state").word<model::IncidentState>();
    incident.type = read_type(member.at("type"));
    incident.cause = optional_text(member, "cause");
    incident.candidates = member.at("candidates").list(read_candidate);
    incident.confidence = member.at("confidence").number();
    incident.severity = member.at("severity").word<model::Severity>();
    incident.scope = read_scope(member.at("scope"));
    incident.perspective = member.at("perspective").word<model::Perspective>();
    incident.destination = optional(member, "destination", read_destination);
    incident.source = read_source(member.at("source"));
    incident.impact = read_impact(member.at("impact"));
    incident.owner_hint = member.at("owner_hint").word<model::OwnerHint>();
}

void read_course(const Member& member, model::Incident& incident) {
    incident.changes = member.at("changes").list(read_change);
    incident.first_affected_at = member.at("first_affected_at").time();
    incident.opened_at = member.at("opened_at").time();
    incident.detected_at = member.at("detected_at").time();
    incident.resolved_at = optional(member, "resolved_at", read_time);
    incident.resolution =
        optional(member, "resolution", [](const Member& word) { return word.word<model::Resolution>(); });
    incident.occurrences = member.at("occurrences").integer<std::int64_t>();
}

model::Incident read_incident(const Member& member) {
    expect_schema(member, "netwatch.incident/1");
    model::Incident incident;
    read_verdict(member, incident);
    read_course(member, incident);
    incident.summary = member.at("summary").text();
    incident.evidence = member.at("evidence").list(read_evidence);
    incident.ruled_out = member.at("ruled_out").list(read_ruled_out);
    incident.ladder = read_steps(member.at("ladder"));
    incident.root_cause = read_root_cause(member.at("root_cause"));
    incident.symptom = member.at("symptom").boolean();
    incident.advice = member.at("advice").list(read_advice);
    incident.observer = read_observer(member.at("observer"));
    return incident;
}

model::Ladder read_ladder(const Member& member) {
    expect_schema(member, "netwatch.ladder/1");
    model::Ladder ladder;
    ladder.target = member.at("target").text();
    if (member.has("destinations")) ladder.destinations = member.at("destinations").list(read_destination);
    ladder.verdict = member.at("verdict").word<model::LadderVerdict>();
    if (member.has("summary")) ladder.summary = member.at("summary").text();
    ladder.steps = read_steps(member.at("ladder"));
    ladder.incidents = read_texts(member.at("incidents"));
    if (member.has("advice")) ladder.advice = member.at("advice").list(read_advice);
    return ladder;
}

model::SeriesPoint read_point(const Member& member) {
    model::SeriesPoint point;
    point.at = member.at("at").time();
    point.attempts = member.at("attempts").integer<std::uint32_t>();
    point.failed = member.at("failed").integer<std::uint32_t>();
    point.rtt_us = optional(member, "rtt_us", read_number);
    point.loss_share = optional(member, "loss_share", read_number);
    point.bytes = member.at("bytes").number();
    return point;
}

void read_rates(const Member& member, model::DestinationRow& row) {
    row.attempts_per_s = member.at("attempts_per_s").number();
    row.ok_share = optional(member, "ok_share", read_number);
    row.flows = read_u32(member.at("flows"));
    row.rtt_us = optional(member, "rtt_us", read_number);
    row.rtt_p99_us = optional(member, "rtt_p99_us", read_number);
    row.loss_share = optional(member, "loss_share", read_number);
    row.loss_in_share = optional(member, "loss_in_share", read_number);
    row.bytes_sent_per_s = member.at("bytes_sent_per_s").number();
    row.bytes_received_per_s = member.at("bytes_received_per_s").number();
}

model::DestinationRow read_row(const Member& member) {
    model::DestinationRow row;
    row.ref = read_destination(member.at("ref"));
    row.perspective = member.at("role").word<model::Perspective>();
    row.netns = read_u32(member.at("netns"));
    row.processes = read_texts(member.at("processes"));
    row.attempts = read_u64(member.at("attempts"));
    row.established = read_u64(member.at("established"));
    row.failed = read_u64(member.at("failed"));
    row.abandoned = read_u64(member.at("abandoned"));
    read_rates(member, row);
    row.last_success_at = optional(member, "last_success_at", read_time);
    row.last_failure_at = optional(member, "last_failure_at", read_time);
    row.severity =
        optional(member, "severity", [](const Member& word) { return word.word<model::Severity>(); });
    row.type = optional(member, "type", read_type);
    row.incident = optional_text(member, "incident");
    row.judged = member.at("judged").boolean();
    row.series = member.at("series").list(read_point);
    return row;
}

model::HookStatus read_hook(const Member& member) {
    return {member.at("signal").text(), member.at("hook").text(), member.at("state").text(),
            member.at("lost").text(), member.at("reason").text()};
}

model::CounterSourceStatus read_counter_source(const Member& member) {
    return {member.at("source").text(), member.at("there").boolean(), member.at("lost").text(),
            member.at("reason").text()};
}

model::AccountRow read_account(const Member& member) {
    return {member.at("kind").text(), read_u64(member.at("seen")), read_u64(member.at("filtered")),
            read_u64(member.at("emitted")), read_u64(member.at("dropped"))};
}

model::ObserverStatus read_observer_status(const Member& member) {
    model::ObserverStatus observer;
    observer.lost_records = read_u64(member.at("lost_records"));
    observer.evicted_destinations = read_u64(member.at("evicted_destinations"));
    observer.udp_not_judged = read_u64(member.at("udp_not_judged"));
    observer.sockets = read_u32(member.at("sockets"));
    observer.destinations = read_u32(member.at("destinations"));
    observer.last_walk_at = optional(member, "last_walk_at", read_time);
    observer.hooks = member.at("hooks").list(read_hook);
    if (member.has("counters")) observer.counters = member.at("counters").list(read_counter_source);
    observer.accounts = member.at("accounts").list(read_account);
    observer.recording = optional_text(member, "recording");
    observer.recording_error = optional_text(member, "recording_error");
    return observer;
}

model::HostView read_host_view(const Member& member) {
    expect_schema(member, "netwatch.view/1");
    const Member host = member.at("host");
    model::HostView view;
    view.hostname = host.at("name").text();
    view.kernel = host.at("kernel").text();
    view.boot_id = host.at("boot_id").text();
    view.agent_version = member.at("agent_version").text();
    view.observed_netns_count = read_u32(member.at("observed_netns_count"));
    view.at = member.at("at").time();
    view.started_at = member.at("started_at").time();
    view.attempts_per_s = member.at("attempts_per_s").number();
    view.incidents = member.at("incidents").list(read_incident);
    view.destinations = member.at("destinations").list(read_row);
    if (member.has("matching")) view.matching = read_u64(member.at("matching"));
    view.observer = read_observer_status(member.at("observer"));
    return view;
}

template <typename Read>
auto read_document(const json& document, std::string_view what, Read read)
    -> core::Result<decltype(read(std::declval<const Member&>()))> {
    try {
        return read(Member(document, ""));
    } catch (const Malformed& malformed) {
        return core::fail(fmt::format("malformed {}: {}", what, malformed.what));
    }
}

}  // namespace

core::Result<model::Incident> incident_from_json(const nlohmann::json& json) {
    return read_document(json, "incident", read_incident);
}

core::Result<model::Ladder> ladder_from_json(const nlohmann::json& json) {
    return read_document(json, "ladder", read_ladder);
}

core::Result<model::ObserverStatus> observer_from_json(const nlohmann::json& json) {
    return read_document(json, "observer status", read_observer_status);
}

core::Result<model::HostView> host_view_from_json(const nlohmann::json& json) {
    return read_document(json, "view", read_host_view);
}

core::Result<nlohmann::json> parse_json(std::string_view text) {
    json document = json::parse(text, nullptr, false);
    if (document.is_discarded()) return core::fail("malformed JSON");
    return document;
}

}  // namespace netwatch::present
