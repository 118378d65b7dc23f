// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;

constexpr std::uint64_t judged_span_ns = 30 * core::ns_per_s;
constexpr double runs_from = 2.5;  // losses at a time; lost one by one it is 1
constexpr std::size_t several = 3;
constexpr double share_of_use = 0.8;   // of the addresses in use that a wider fault explains (BlameIt)
constexpr double enough_expected = 5;  // losses, if it fared as others do: then few say something
constexpr double hardly_any = 0.2;     // of those

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::vector<DestinationKey> destinations_at(const Scene& scene, const AddressKey& key,
                                            const Address& address) {
    std::vector<DestinationKey> keys;
    for (const std::uint16_t port : address.ports) {
        const DestinationKey candidate{
            {key.ip, port, model::Protocol::tcp}, model::Perspective::client, key.netns};
        if (scene.destinations.find(candidate) != nullptr) keys.push_back(candidate);
    }
    return keys;
}

Finding lossy(const Scene& scene, const AddressKey& key, const Address& address, bool forward, bool reverse) {
    const PathQuality& quality = *address.quality;
    const core::BootNs onset = quality.onset(scene.now);
    const auto window = quality.window(
        scene.now, std::min(judged_span_ns, scene.now - std::min(onset, scene.now) + core::ns_per_s));
    Finding finding;
    finding.family = Family::loss;
    finding.group = loss_group(key);
    finding.confirmed = true;
    const std::optional<double> scatter = quality.scatter(scene.now);
    const bool limited = forward && !reverse && quality.rate_limit() && window.queue_full_flow_seconds == 0;
    const bool in_runs = forward && !reverse && !limited && scatter && *scatter >= runs_from;
    finding.candidates = {{FailureType::packet_loss,
                           limited              ? "rate_limited"
                           : in_runs            ? "bursty"
                           : forward && reverse ? "both"
                           : forward            ? "forward"
                                                : "reverse",
                           forward && !in_runs && !limited ? 0.95 : 0.9, std::nullopt}};
    finding.scope = {ScopeKind::destination, std::nullopt, {key.ip.to_string()}};
    finding.first_affected = onset;
    finding.members = destinations_at(scene, key, address);
    if (quality.mostly_passive() && address.listener) {
        finding.perspective = model::Perspective::server;
        finding.destination = model::DestinationRef{.endpoint = address.listener->endpoint};
        finding.members.insert(finding.members.begin(), *address.listener);
    } else {
        finding.destination = model::DestinationRef{.endpoint = {key.ip, 0, model::Protocol::tcp}};
    }
    finding.flows = std::max(window.lossy_flow_seconds, window.lossy_in_flow_seconds);
    if (forward) {
        note(finding, scene, "segments_lost", static_cast<double>(window.lost),
             fmt::format("{} of {} segments lost on the way to it ({}), needless retransmissions taken off",
                         window.lost, window.segments + static_cast<std::uint64_t>(window.lost),
                         percent(window.loss_share().value_or(0))));
    }
    if (limited) {
        const RateLimit& limit = *quality.rate_limit();
        note(finding, scene, "loss_above_rate", static_cast<double>(limit.knee),
             fmt::format("segments are lost in seconds that carry {} of them or more; of {} in slower ones "
                         "{}, where {:.0f} would have been",
                         limit.knee, limit.below, limit.lost_below, limit.expected_lost));
    }
    if (in_runs) {
        note(finding, scene, "loss_in_runs", *scatter,
             fmt::format("losses come together: about {:.0f} at a time", *scatter));
    }
    if (reverse && window.out_of_order > 0) {
        note(finding, scene, "out_of_order_arrivals", static_cast<double>(window.out_of_order),
             fmt::format("{} of {} arriving segments came behind a hole: at least {} lost on the way here",
                         window.out_of_order, window.segments_in,
                         percent(window.loss_in_share().value_or(0))));
    }
    if (reverse && window.resent > 0) {
        note(finding, scene, "holes_resent", static_cast<double>(window.resent),
             fmt::format(
                 "{} holes in what arrived were filled by retransmissions: at least {} lost on the way here",
                 window.resent, percent(window.loss_in_share().value_or(0))));
    }
    if (reverse && window.needless > 0) {
        note(finding, scene, "needless_retransmissions", static_cast<double>(window.needless),
             fmt::format("{} retransmissions were needless: their acknowledgements were lost on the way here",
                         window.needless));
    }
    rule_out(finding, FailureType::host_unreachable, "connections are made and move data");
    rule_out(finding, FailureType::latency_spike,
             "round trips are not inflated: the loss is not a full queue");
    rule_out(finding, FailureType::slow_service,
             "segments are lost before the service sees or after it sent them");
    return finding;
}

// One address with loss on the way to it, from it, or both.
struct Path {
    AddressKey key;
    const Address* address;
    bool forward;
    bool reverse;
    [[nodiscard]] model::Prefix block() const { return model::Prefix::sibling_block(key.ip); }
    [[nodiscard]] core::BootNs onset(core::BootNs now) const { return address->quality->onset(now); }
    [[nodiscard]] PathQuality::Window window(const Scene& scene) const {
        return address->quality->window(scene.now, judged_span_ns);
    }
};
using Paths = std::vector<Path>;

// What passes beside them, though so much is sent that it would show.
std::vector<AddressKey> clean_beside(const Scene& scene, const Paths& lossy) {
    double share = 1;
    double share_in = 1;
    core::BootNs since = 0;
    std::set<AddressKey> bad;
    for (const Path& path : lossy) {
        const auto window = path.window(scene);
        if (path.forward) share = std::min(share, window.loss_share().value_or(0));
        if (path.reverse) share_in = std::min(share_in, window.loss_in_share().value_or(0));
        since = std::max(since, path.onset(scene.now));
        bad.insert(path.key);
    }
    const bool forward = lossy.front().forward;
    std::set<AddressKey> clean;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const AddressKey at{key.endpoint.ip, key.netns};
        if (key.perspective != model::Perspective::client || key.endpoint.ip.is_loopback()) continue;
        const Address* address = bad.contains(at) ? nullptr : scene.destinations.find_address(at);
        if (address == nullptr || !address->quality) continue;
        const auto window = address->quality->window(
            scene.now, std::min(judged_span_ns, scene.now - std::min(since, scene.now)));
        const double expected = forward ? share * static_cast<double>(window.segments)
                                        : share_in * static_cast<double>(window.segments_in);
        const double seen = forward ? static_cast<double>(window.lost) : window.lost_in();
        if (expected >= enough_expected && seen <= hardly_any * expected) clean.insert(at);
    }
    return {clean.begin(), clean.end()};
}

// Those of one place as one finding; its evidence is that of the one that loses most.
Finding together(const Scene& scene, const Paths& paths, ScopeKind kind, std::optional<std::string> value) {
    const Path& worst = *std::ranges::max_element(paths, {}, [&](const Path& path) {
        const auto window = path.window(scene);
        return std::max(static_cast<double>(window.lost), window.lost_in());
    });
    const bool forward = std::ranges::any_of(paths, &Path::forward);
    const bool reverse = std::ranges::any_of(paths, &Path::reverse);
    Finding finding = lossy(scene, worst.key, *worst.address, forward, reverse);
    finding.group = fmt::format("loss {}", value.value_or("uplink"));
    finding.severity = model::Severity::critical;
    std::vector<std::string> names;
    for (const Path& path : paths) {
        names.push_back(path.key.ip.to_string());
        finding.first_affected = std::min(finding.first_affected, path.onset(scene.now));
        if (path.key == worst.key) continue;
        std::ranges::copy(destinations_at(scene, path.key, *path.address),
                          std::back_inserter(finding.members));
    }
    std::ranges::sort(names);
    note(finding, scene, "addresses_lossy", static_cast<double>(names.size()),
         fmt::format("{} addresses lose segments at once", names.size()));
    finding.scope = {kind, std::move(value), std::move(names)};
    return finding;
}

bool explains(std::size_t bad, std::size_t good) {
    return bad >= several && static_cast<double>(bad) >= share_of_use * static_cast<double>(bad + good);
}

// The smallest place that has all of it: all that is in use, a region, networks; else each address for
// itself.
std::vector<Finding> placed(const Scene& scene, const Paths& paths) {
    std::vector<Finding> findings;
    const auto single = [&](const Path& path) {
        findings.push_back(lossy(scene, path.key, *path.address, path.forward, path.reverse));
    };
    if (paths.size() < several) {
        std::ranges::for_each(paths, single);
        return findings;
    }
    const std::vector<AddressKey> clean = clean_beside(scene, paths);
    std::map<model::Prefix, Paths> blocks;
    std::map<std::string, Paths> regions;
    for (const Path& path : paths) {
        blocks[path.block()].push_back(path);
        if (const auto region = scene.regions.of(path.key.ip)) regions[*region].push_back(path);
    }
    if (blocks.size() > 1 && explains(paths.size(), clean.size())) {
        const bool one_region = regions.size() == 1 && regions.begin()->second.size() == paths.size();
        if (!one_region || clean.empty()) return {together(scene, paths, ScopeKind::uplink, std::nullopt)};
    }
    for (const auto& [region, members] : regions) {
        const auto inside = [&, &region = region](const AddressKey& key) {
            return scene.regions.of(key.ip) == region;
        };
        const auto good = static_cast<std::size_t>(std::ranges::count_if(clean, inside));
        const bool others_pass = good < clean.size();
        if (!others_pass || !explains(members.size(), good)) continue;
        findings.push_back(together(scene, members, ScopeKind::region, region));
        for (auto& [block, rest] : blocks)
            std::erase_if(rest, [&](const Path& path) { return inside(path.key); });
    }
    for (const auto& [block, members] : blocks) {
        const auto inside = [&, &block = block](const AddressKey& key) { return block.contains(key.ip); };
        const auto good = static_cast<std::size_t>(std::ranges::count_if(clean, inside));
        if (explains(members.size(), good))
            findings.push_back(together(scene, members, ScopeKind::prefix, block.to_string()));
        else
            std::ranges::for_each(members, single);
    }
    return findings;
}

}  // namespace

std::string loss_group(const AddressKey& key) {
    return fmt::format("loss {} {}", key.ip.to_string(), key.netns);
}

std::vector<Finding> judge_loss(const Scene& scene, const std::set<AddressKey>& suspects) {
    std::vector<Finding> findings;
    Paths there;  // and those that lose both ways
    Paths back;
    for (const AddressKey& key : suspects) {
        const Address* address = scene.destinations.find_address(key);
        if (address == nullptr || !address->quality) continue;
        const Path path{key, address, address->quality->forward_alarms(scene.now),
                        address->quality->reverse_alarms(scene.now)};
        if (!path.forward && !path.reverse) continue;
        if (address->quality->mostly_passive())
            findings.push_back(lossy(scene, key, *address, path.forward, path.reverse));
        else
            (path.forward ? there : back).push_back(path);
    }
    for (const Paths* paths : {&there, &back})
        std::ranges::move(placed(scene, *paths), std::back_inserter(findings));
    return findings;
}

}  // namespace netwatch::diagnosis
