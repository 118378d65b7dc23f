// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "support/story.h"

namespace netwatch::support {
namespace {

void check_candidates(const model::Incident& incident, std::vector<std::string>& found) {
    double sum = 0;
    double last = 1;
    std::size_t members = 0;
    std::set<std::pair<model::FailureType, std::string>> distinct;
    if (incident.candidates.empty()) {
        found.push_back("no candidates");
        return;
    }
    for (const auto& candidate : incident.candidates) {
        if (candidate.probability > last) found.push_back("candidates are not sorted");
        if (candidate.probability < 0.05) found.push_back("a candidate below 0.05");
        if (!distinct.emplace(candidate.type, candidate.cause.value_or("")).second)
            found.push_back("candidates repeat");
        if (sum < 0.9 - 1e-9) ++members;
        sum += last = candidate.probability;
    }
    if (sum > 1.000001) found.push_back(fmt::format("candidates sum to {}", sum));
    if (incident.candidates.front().type != incident.type) found.push_back("first candidate is not the type");
    if (incident.candidates.front().cause != incident.cause)
        found.push_back("first candidate is not the cause");
    if (incident.candidates.front().probability != incident.confidence)
        found.push_back("confidence is not the first's");
    for (std::size_t i = 0; members > 1 && i < members; ++i) {
        if (!incident.candidates[i].would_split) found.push_back("a member of the set without would_split");
    }
}

void check_times(const model::Incident& incident, std::vector<std::string>& found) {
    if (incident.first_affected_at > incident.opened_at) found.push_back("first_affected_at after opened_at");
    if (incident.opened_at > incident.detected_at) found.push_back("opened_at after detected_at");
    if (incident.resolved_at && *incident.resolved_at < incident.detected_at)
        found.push_back("resolved before detected");
}

void check_rest(const model::Incident& incident, std::vector<std::string>& found) {
    const bool resolved = incident.state == model::IncidentState::resolved;
    if (resolved != incident.resolution.has_value()) found.push_back("resolution does not go with the state");
    if (resolved != incident.resolved_at.has_value())
        found.push_back("resolved_at does not go with the state");
    if (incident.impact.failed > incident.impact.attempts) found.push_back("more failed than were attempted");
    if (incident.impact.attempts < 0 || incident.impact.failed < 0) found.push_back("negative impact");
    if (incident.impact.share && (*incident.impact.share < 0 || *incident.impact.share > 1))
        found.push_back("share");
    if (incident.type == model::FailureType::unknown) found.push_back("type unknown");
    if (incident.type == model::FailureType::network_congestion)
        found.push_back("congestion is a root cause only");
    if (incident.summary.empty()) found.push_back("no summary");
    if (incident.root_cause.statement.empty()) found.push_back("no root cause");
    if (incident.evidence.empty()) found.push_back("no evidence");
    if (!std::ranges::is_sorted(incident.scope.members)) found.push_back("members are not sorted");
    for (const auto& ruled : incident.ruled_out) {
        if (ruled.type == incident.type) found.push_back("the type is also ruled out");
    }
    for (std::size_t i = 0; i < incident.ladder.size(); ++i) {
        if (incident.ladder[i].step != model::all_rungs[i]) found.push_back("the rungs are out of order");
        if (incident.ladder[i].evidence.empty()) found.push_back("a rung without evidence");
    }
}

}  // namespace

std::vector<std::string> contract_violations(const std::vector<model::Incident>& incidents) {
    std::vector<std::string> all;
    std::map<std::string, const model::Incident*> by_id;
    for (const auto& incident : incidents) {
        if (!by_id.emplace(incident.id, &incident).second) all.push_back(incident.id + ": the id repeats");
    }
    for (const auto& incident : incidents) {
        std::vector<std::string> found;
        check_candidates(incident, found);
        check_times(incident, found);
        check_rest(incident, found);
        if (incident.symptom) {
            const auto root = by_id.find(incident.root_cause.incident.value_or(""));
            if (root == by_id.end())
                found.push_back("its root does not exist");
            else if (root->second->symptom)
                found.push_back("its root is a symptom");
        }
        for (const std::string& sentence : found) {
            all.push_back(fmt::format("{} {}: {}", incident.id, model::to_string(incident.type), sentence));
        }
    }
    return all;
}

}  // namespace netwatch::support
