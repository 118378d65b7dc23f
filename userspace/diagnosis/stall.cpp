// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/stall.h"

#include <fmt/format.h>

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;

constexpr std::size_t followed = 16;
constexpr std::uint64_t shut_ns =
    4 * core::ns_per_s;  // a reader that pauses for a disk or a collector is back
constexpr std::uint64_t shut_together_ns = 3 * core::ns_per_s;
constexpr std::size_t together = 2;
constexpr std::uint64_t suspicious_ns = 2 * core::ns_per_s;
constexpr std::uint64_t unseen_ns = 3 * core::ns_per_s;  // gone: several walks have not seen it

std::vector<ShutWindow> shut_for(const Scene& scene, const Detail& detail, std::uint64_t at_least_ns) {
    std::vector<ShutWindow> found;
    std::ranges::copy_if(detail.shut, std::back_inserter(found), [&](const ShutWindow& window) {
        return window.at + unseen_ns >= scene.now && window.since + at_least_ns <= window.at;
    });
    return found;
}

Finding stalled(const Scene& scene, const Destination& destination, const std::vector<ShutWindow>& windows,
                bool confirmed) {
    Finding finding = finding_at(destination, Family::service, "shut");
    finding.confirmed = confirmed;
    finding.candidates = {{FailureType::receiver_stalled, "zero_window", 0.95, std::nullopt}};
    finding.severity = destination.ever_worked() ? model::Severity::warning : model::Severity::info;
    finding.first_affected = std::ranges::min(windows, {}, &ShutWindow::since).since;
    finding.flows = static_cast<std::int64_t>(windows.size());
    std::uint64_t unsent = 0;
    for (const ShutWindow& window : windows) unsent += window.unsent_bytes;
    note(finding, scene, "window_shut", static_cast<double>(windows.size()),
         fmt::format("{} of {} connections: its receive window is shut, for {} by now", windows.size(),
                     std::max<std::size_t>(destination.flows, windows.size()),
                     core::to_duration(scene.now - finding.first_affected)));
    note(finding, scene, "bytes_held_back", static_cast<double>(unsent),
         fmt::format("{} bytes wait here to be sent; nothing in flight is lost", unsent));
    rule_out(finding, FailureType::packet_loss, "nothing is in flight: all that was sent is acknowledged");
    rule_out(finding, FailureType::host_unreachable, "its host answers the window probes");
    rule_out(finding, FailureType::slow_service,
             "it is not an answer that is missing: requests are not taken");
    return finding;
}

}  // namespace

bool add_window(Detail& detail, const FlowChange& change) {
    const auto known = std::ranges::find(detail.shut, change.path.sock, &ShutWindow::sock);
    if (change.window_opened) detail.window_opened_at = change.path.at;
    if (change.shut_since == 0) {
        if (known != detail.shut.end()) detail.shut.erase(known);
        return false;
    }
    const ShutWindow window{change.path.sock, change.shut_since, change.path.at, change.unsent_bytes};
    if (known != detail.shut.end()) {
        *known = window;
    } else if (detail.shut.size() < followed) {
        detail.shut.push_back(window);
    }
    return true;
}

std::vector<Finding> judge_stalls(const Scene& scene, const std::set<DestinationKey>& suspects) {
    std::vector<Finding> findings;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        if (destination == nullptr || !destination->detail) continue;
        const auto shut = shut_for(scene, *destination->detail, suspicious_ns);
        if (shut.empty()) continue;
        const bool confirmed = !shut_for(scene, *destination->detail, shut_ns).empty() ||
                               shut_for(scene, *destination->detail, shut_together_ns).size() >= together;
        findings.push_back(stalled(scene, *destination, shut, confirmed));
    }
    return findings;
}

bool is_stalled(const Scene& scene, const Destination& destination) {
    return destination.detail && !shut_for(scene, *destination.detail, suspicious_ns).empty();
}

bool windows_open(const Destination& destination) {
    const Detail& detail = *destination.detail;
    return detail.shut.empty() && detail.window_opened_at != 0;
}

}  // namespace netwatch::diagnosis
