// SPDX-License-Identifier: Apache-2.0
#include "present/report.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <unordered_map>

#include "present/incidents.h"
#include "present/inert.h"
#include "present/json.h"
#include "present/report_page.h"
#include "present/text.h"

namespace netwatch::present {
namespace {

using nlohmann::json;

constexpr std::size_t most_incidents = 200;
constexpr std::size_t most_histories = 40;
constexpr std::size_t most_buckets = 2'400;

// The seconds of the recording, several in one bucket where there are more of them than a screen has room
// for.
struct TimeAxis {
    std::int64_t begins_s = 0;
    std::int64_t step_s = 1;
    std::size_t buckets = 0;

    TimeAxis(core::UtcNs begins, core::UtcNs ends) {
        constexpr std::int64_t second = core::ns_per_s;
        begins_s = begins.ns / second;
        const std::int64_t seconds = std::max<std::int64_t>(1, ends.ns / second - begins_s + 1);
        step_s = (seconds - 1) / static_cast<std::int64_t>(most_buckets) + 1;
        buckets = static_cast<std::size_t>((seconds - 1) / step_s + 1);
    }
    [[nodiscard]] std::optional<std::size_t> bucket(core::UtcNs at) const {
        const std::int64_t index = (at.ns / static_cast<std::int64_t>(core::ns_per_s) - begins_s) / step_s;
        if (index < 0 || index >= static_cast<std::int64_t>(buckets)) return std::nullopt;
        return static_cast<std::size_t>(index);
    }
};

struct Bucket {
    std::uint64_t attempts = 0;
    std::uint64_t failed = 0;
    double bytes = 0;
    std::optional<double> rtt_us;  // smallest
    double loss = 0;
    std::uint32_t losses_measured = 0;
};

// Four digits are more than a chart shows.
json rounded(double value) {
    if (!std::isfinite(value)) return nullptr;
    if (value == 0) return 0;
    const double scale = std::pow(10.0, 3 - std::floor(std::log10(std::abs(value))));
    const double near = std::round(value * scale) / scale;
    if (near == std::trunc(near) && std::abs(near) < 1e15) return static_cast<std::int64_t>(near);
    return near;
}

json columns_of(const History& history, const TimeAxis& axis) {
    std::vector<Bucket> buckets(axis.buckets);
    for (const auto& point : history.points) {
        const auto index = axis.bucket(point.at);
        if (!index) continue;
        Bucket& bucket = buckets[*index];
        bucket.attempts += point.attempts;
        bucket.failed += point.failed;
        bucket.bytes += point.bytes;
        if (point.rtt_us) bucket.rtt_us = std::min(bucket.rtt_us.value_or(*point.rtt_us), *point.rtt_us);
        if (point.loss_share) bucket.loss += *point.loss_share, ++bucket.losses_measured;
    }
    json attempts = json::array();
    json failed = json::array();
    json bytes = json::array();
    json rtt = json::array();
    json loss = json::array();
    for (const Bucket& bucket : buckets) {
        attempts.push_back(bucket.attempts);
        failed.push_back(bucket.failed);
        bytes.push_back(rounded(bucket.bytes));
        rtt.push_back(bucket.rtt_us ? rounded(*bucket.rtt_us) : json(nullptr));
        loss.push_back(bucket.losses_measured > 0 ? rounded(bucket.loss / bucket.losses_measured)
                                                  : json(nullptr));
    }
    return {{"attempts", attempts}, {"failed", failed}, {"bytes", bytes}, {"rtt_us", rtt}, {"loss", loss}};
}

// Histories by what an incident may call them: endpoint or address.
class Directory {
public:
    explicit Directory(const std::vector<History>& histories) : histories_(histories) {
        for (std::size_t i = 0; i < histories.size(); ++i) {
            const auto& endpoint = histories[i].ref.endpoint;
            by_name_[endpoint.to_string()].push_back(i);
            if (endpoint.port != 0) by_name_[endpoint.ip.to_string()].push_back(i);
        }
    }
    // Those that the incident is about, each once.
    [[nodiscard]] std::set<std::size_t> of(const model::Incident& incident) const {
        std::set<std::size_t> found;
        if (incident.destination) add(incident, incident.destination->endpoint.to_string(), found);
        for (const auto& member : incident.scope.members) add(incident, member, found);
        return found;
    }

private:
    void add(const model::Incident& incident, const std::string& name, std::set<std::size_t>& found) const {
        const auto named = by_name_.find(name);
        if (named == by_name_.end()) return;
        for (const std::size_t index : named->second) {
            if (histories_[index].perspective == incident.perspective) found.insert(index);
        }
    }

    const std::vector<History>& histories_;
    std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
};

json texts(const std::vector<std::string>& values) {
    json list = json::array();
    for (const auto& value : values) list.push_back(valid_utf8(value));
    return list;
}

// The contract's shape, and the words that all screens share.
json incident_json(const model::Incident& incident) {
    json object = to_json(incident);
    json changes = json::array();
    for (const auto* change : changes_by_bearing(incident)) {
        changes.push_back({{"at", core::to_rfc3339(change->at)},
                           {"text", change_text(incident, *change)},
                           {"bearing", model::to_string(change->bearing)}});
    }
    object["words"] = {{"where", where(incident)},
                       {"title", type_and_cause(incident.type, incident.cause)},
                       {"short", model::short_name(incident.type)},
                       {"network", blames_network(incident)},
                       {"alternatives", alternatives(incident)},
                       {"would_split", would_split(incident)},
                       {"changed", foremost_change(incident)},
                       {"changes", changes}};
    return object;
}

// What of it the page shows.
struct Shown {
    const model::Incident* first = nullptr;
    std::vector<const model::Incident*> incidents;
    std::vector<std::vector<std::size_t>> of_incident;  // places in `histories`
    std::vector<const History*> histories;
};

Shown choose(const Report& report) {
    Shown shown;
    const auto& incidents = report.view.incidents;
    shown.first = find_incident(incidents, report.chosen);
    if (shown.first == nullptr) shown.first = gravest(incidents);
    for (const auto& incident : incidents) {
        // The one that is shown first is never left out.
        const std::size_t reserved = &incident < shown.first ? 1 : 0;
        if (&incident == shown.first || shown.incidents.size() + reserved < most_incidents)
            shown.incidents.push_back(&incident);
    }
    const Directory directory(report.histories);
    std::vector<std::size_t> place(report.histories.size(), most_histories);
    const auto show = [&](std::size_t index) {
        if (place[index] != most_histories || shown.histories.size() >= most_histories) return;
        place[index] = shown.histories.size();
        shown.histories.push_back(&report.histories[index]);
    };
    if (shown.first != nullptr) std::ranges::for_each(directory.of(*shown.first), show);
    std::vector<std::set<std::size_t>> about;
    for (const auto* incident : shown.incidents)
        std::ranges::for_each(about.emplace_back(directory.of(*incident)), show);
    for (std::size_t index = 0; index < report.histories.size(); ++index) show(index);
    for (const auto& indexes : about) {
        auto& places = shown.of_incident.emplace_back();
        for (const std::size_t index : indexes) {
            if (place[index] != most_histories) places.push_back(place[index]);
        }
    }
    return shown;
}

// Every text in it, names of members left out, as a reader may see it.
void make_inert(json& value) {
    if (value.is_string()) {
        value = inert(value.get_ref<const std::string&>());
    } else if (value.is_structured()) {
        for (auto& each : value) make_inert(each);
    }
}

// For a <script> element: nothing in it can end the element or begin a comment.
std::string for_script(const json& value) {
    std::string text;
    for (const char c : to_text(value)) {
        switch (c) {
            case '<': text += "\\u003c"; break;
            case '>': text += "\\u003e"; break;
            case '&': text += "\\u0026"; break;
            default: text += c;
        }
    }
    return text;
}

std::string for_html(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '<': escaped += "&lt;"; break;
            case '>': escaped += "&gt;"; break;
            case '&': escaped += "&amp;"; break;
            default: escaped += c;
        }
    }
    return escaped;
}

// What a browser without scripts shows.
std::string plain_text(const Report& report) {
    const Style style{.color = false, .unicode = true, .width = 100};
    const auto* incident = find_incident(report.view.incidents, report.chosen);
    if (incident == nullptr) incident = gravest(report.view.incidents);
    return incident == nullptr ? answer(report.view, style)
                               : incident_details(*incident, report.view.at, style);
}

}  // namespace

const model::Incident* gravest(const std::vector<model::Incident>& incidents) {
    const auto rank = [](const model::Incident& incident) {
        return std::tuple(!incident.symptom && incident.state != model::IncidentState::suspected,
                          incident.severity, incident.first_affected_at);
    };
    const auto found = std::ranges::max_element(incidents, {}, rank);
    return found == incidents.end() ? nullptr : &*found;
}

json to_json(const Report& report) {
    const Shown shown = choose(report);
    const TimeAxis axis(report.begins, report.view.at);
    json incidents = json::array();
    for (std::size_t i = 0; i < shown.incidents.size(); ++i) {
        json object = incident_json(*shown.incidents[i]);
        object["histories"] = shown.of_incident[i];
        incidents.push_back(std::move(object));
    }
    json histories = json::array();
    for (const auto* history : shown.histories) {
        json object = columns_of(*history, axis);
        object["label"] = label(history->ref);
        object["perspective"] = model::to_string(history->perspective);
        histories.push_back(std::move(object));
    }
    const auto& observer = report.view.observer;
    json object = {
        {"schema", "netwatch.report/1"},
        {"source", report.source},
        {"netwatch", report.view.agent_version},
        {"host", {{"name", report.view.hostname}, {"kernel", report.view.kernel}}},
        {"begins", core::to_rfc3339(report.begins)},
        {"ends", core::to_rfc3339(report.view.at)},
        {"damage", report.damage ? json(*report.damage) : json(nullptr)},
        {"chosen", shown.first == nullptr ? json(nullptr) : json(shown.first->id)},
        {"incidents", std::move(incidents)},
        {"incidents_left_out", report.view.incidents.size() - shown.incidents.size()},
        {"axis", {{"begins_s", axis.begins_s}, {"step_s", axis.step_s}, {"count", axis.buckets}}},
        {"histories", std::move(histories)},
        {"histories_left_out", report.histories.size() + report.histories_dropped - shown.histories.size()},
        {"blind_spots", texts(blind_spots(report.view))},
        {"hooks", to_json(observer)["hooks"]},
        {"lost_records", observer.lost_records},
    };
    make_inert(object);
    return object;
}

std::string report_html(const Report& report) {
    constexpr std::string_view text_mark = "{{PLAIN_TEXT}}";
    constexpr std::string_view data_mark = "{{DATA}}";
    const std::size_t text = report_page.find(text_mark);
    const std::size_t data = report_page.find(data_mark);
    std::string html(report_page.substr(0, text));
    html += for_html(plain_text(report));
    html += report_page.substr(text + text_mark.size(), data - text - text_mark.size());
    html += for_script(to_json(report));
    html += report_page.substr(data + data_mark.size());
    return html;
}

}  // namespace netwatch::present
