// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace netwatch::diagnosis {
namespace {

using model::FailureType;
using model::ScopeKind;

constexpr std::uint64_t fresh_ns = 10 * core::ns_per_s;
constexpr std::size_t several = 3;
constexpr double share_of_use = 0.8;
constexpr std::uint64_t bulk_bytes_per_s = 250'000;
constexpr std::uint64_t bulk_span_ns = 5 * core::ns_per_s;
constexpr double bulk_growth = 3;
constexpr std::uint64_t queue_fills_ns = 10 * core::ns_per_s;  // and all that use it have felt it
constexpr std::uint32_t enough_overflows = 3;  // looks at connections with losses from a full queue

struct Leaf {
    const Destination* destination;
    RoundTrips::Shift shift;
    [[nodiscard]] const model::IpAddress& ip() const { return destination->key.endpoint.ip; }
};
using Leaves = std::vector<Leaf>;

// Handshakes are answered by the peer's kernel alone; where there are none, what data takes to be
// acknowledged.
const RoundTrips* judged(const Destination& destination, core::BootNs now) {
    if (!destination.detail) return nullptr;
    const Detail& detail = *destination.detail;
    for (const RoundTrips* series : {&detail.handshakes, &detail.acknowledgements}) {
        if (series->known() && series->last_at() + fresh_ns >= now) return series;
    }
    return nullptr;
}

// The addresses in use, by how their round trips have fared since others' became longer.
struct InUse {
    std::set<AddressKey> slower;
    std::set<AddressKey> quick;
    [[nodiscard]] double share() const {
        return static_cast<double>(slower.size()) / static_cast<double>(slower.size() + quick.size());
    }
};

InUse in_use(const Scene& scene, core::BootNs onset) {
    InUse use;
    for (const auto& [key, destination] : scene.destinations.all()) {
        if (key.perspective != model::Perspective::client || key.endpoint.ip.is_loopback()) continue;
        if (!destination.detail) continue;
        for (const RoundTrips* series :
             {&destination.detail->handshakes, &destination.detail->acknowledgements}) {
            if (series->last_at() + fresh_ns < scene.now) continue;
            const auto trend = series->trend(onset);
            if (trend == RoundTrips::Trend::unknown) continue;
            (trend == RoundTrips::Trend::slower ? use.slower : use.quick)
                .insert({key.endpoint.ip, key.netns});
            break;
        }
    }
    std::erase_if(use.quick, [&](const AddressKey& key) { return use.slower.contains(key); });
    return use;
}

std::uint64_t bytes_sent(const Detail& detail, core::BootNs from, core::BootNs to) {
    std::uint64_t sum = 0;
    for (const Second& second : detail.seconds) {
        if (second.at >= from && second.at < to) sum += second.bytes_sent;
    }
    return sum;
}

core::BootNs onset_of(const Leaves& leaves) {
    return std::ranges::min(leaves, {}, [](const Leaf& leaf) { return leaf.shift.since; }).shift.since;
}

// An upload of this host that began with the shift fills the queue before it: one to the networks that have
// become slower, to whatever port; to any, where the uplink has.
bool self_induced(const Scene& scene, const Leaves& leaves, bool uplink) {
    const core::BootNs onset = onset_of(leaves);
    std::set<model::Prefix> blocks;
    for (const Leaf& leaf : leaves) blocks.insert(model::Prefix::sibling_block(leaf.ip()));
    std::uint64_t before = 0;
    std::uint64_t since = 0;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const bool outbound = key.perspective == model::Perspective::client && !key.endpoint.ip.is_loopback();
        const bool shares = uplink || blocks.contains(model::Prefix::sibling_block(key.endpoint.ip));
        if (!destination.detail || !outbound || !shares) continue;
        before += bytes_sent(*destination.detail, onset - std::min(onset, 2 * bulk_span_ns),
                             onset - std::min(onset, bulk_span_ns));
        since += bytes_sent(*destination.detail, onset, onset + bulk_span_ns);
    }
    const std::uint64_t seconds = std::clamp<std::uint64_t>((scene.now - onset) / core::ns_per_s, 1, 5);
    return since > bulk_bytes_per_s * seconds &&
           static_cast<double>(since) > bulk_growth * static_cast<double>(before);
}

// A full queue drops what finds no room in it: losses on connections whose round trips are far above their
// minimum.
bool queue_overflows(const Scene& scene, const Leaves& leaves) {
    return std::ranges::any_of(leaves, [&](const Leaf& leaf) {
        const Address* address = scene.destinations.find_address({leaf.ip(), leaf.destination->key.netns});
        if (address == nullptr || !address->quality) return false;
        const auto window = address->quality->window(scene.now, scene.now - leaf.shift.since);
        return window.queue_full_flow_seconds >= enough_overflows;
    });
}

Finding longer(const Scene& scene, Leaves leaves, ScopeKind kind, std::optional<std::string> value) {
    std::ranges::stable_sort(leaves, std::greater{},
                             [](const Leaf& leaf) { return leaf.shift.now_us - leaf.shift.usual_us; });
    const Leaf& worst = leaves.front();
    const DestinationKey& key = worst.destination->key;
    std::set<model::IpAddress> addresses;
    for (const Leaf& leaf : leaves) addresses.insert(leaf.ip());
    Finding finding;
    finding.family = Family::latency;
    finding.group = fmt::format("latency {}", kind == ScopeKind::destination ? key.endpoint.ip.to_string()
                                                                             : value.value_or("uplink"));
    finding.confirmed = std::ranges::any_of(leaves, [](const Leaf& leaf) { return leaf.shift.lasts; });
    const bool uplink = kind == ScopeKind::uplink;
    const bool own = self_induced(scene, leaves, uplink);
    finding.candidates = {{FailureType::latency_spike,
                           own      ? "self_induced"
                           : uplink ? "uplink_queue"
                                    : "path",
                           0.92, std::nullopt}};
    const bool overflows = queue_overflows(scene, leaves);
    if (own || uplink || overflows) finding.root = FailureType::network_congestion;
    if (kind != ScopeKind::destination) finding.severity = model::Severity::critical;
    finding.first_affected = worst.shift.since;
    std::vector<std::string> names;
    for (const Leaf& leaf : leaves) {
        finding.members.push_back(leaf.destination->key);
        names.push_back(leaf.destination->key.endpoint.to_string());
        finding.flows += leaf.destination->flows;
        finding.first_affected = std::min(finding.first_affected, leaf.shift.since);
    }
    std::ranges::sort(names);
    finding.scope = {kind, std::move(value), std::move(names)};
    finding.destination = worst.destination->ref();
    if (leaves.size() > 1) finding.destination->endpoint.port = 0;
    note(finding, scene, "round_trip_ms", worst.shift.now_us / 1000,
         fmt::format("round trips to {} take {:.1f} ms at the median, usually {:.1f} ms",
                     key.endpoint.to_display(), worst.shift.now_us / 1000, worst.shift.usual_us / 1000));
    if (addresses.size() > 1) {
        note(finding, scene, "addresses_slower", static_cast<double>(addresses.size()),
             fmt::format("{} addresses became slower together", addresses.size()));
    }
    if (overflows) {
        note(finding, scene, "queue_overflows", 1,
             "segments are lost while round trips are far above their minimum: a queue on the way is full");
    }
    rule_out(finding, FailureType::slow_service,
             "the round trips of the hosts' kernels are longer, not only answers");
    rule_out(finding, FailureType::packet_loss, "these are round trips without a retransmission");
    return finding;
}

// What one upload of this host slows waits in one queue: the networks that it goes to, and all that became
// slower with them. Takes those out of `leaves`.
Leaves take_own_upload(const Scene& scene, Leaves& leaves) {
    std::map<model::Prefix, Leaves> blocks;
    for (const Leaf& leaf : leaves) blocks[model::Prefix::sibling_block(leaf.ip())].push_back(leaf);
    std::optional<core::BootNs> began;
    for (const auto& [block, group] : blocks) {
        if (!self_induced(scene, group, false)) continue;
        const core::BootNs onset = onset_of(group);
        began = std::min(began.value_or(onset), onset);
    }
    Leaves slowed;
    if (!began) return slowed;
    std::erase_if(leaves, [&](const Leaf& leaf) {
        const core::BootNs since = leaf.shift.since;
        const bool with_it = since + queue_fills_ns >= *began && since <= *began + queue_fills_ns;
        if (with_it) slowed.push_back(leaf);
        return with_it;
    });
    return slowed;
}

// Regions of which nearly all that is in use has become slower while another is as quick as ever. Takes their
// leaves out of `leaves`.
std::map<std::string, Leaves> take_slow_regions(const Scene& scene, const InUse& use, Leaves& leaves) {
    std::map<std::string, Leaves> slow;
    if (scene.regions.empty()) return slow;
    std::map<std::string, std::set<AddressKey>> slower;
    for (const AddressKey& key : use.slower) {
        if (const auto region = scene.regions.of(key.ip)) slower[*region].insert(key);
    }
    for (const auto& [region, keys] : slower) {
        const auto inside = [&, &region = region](const AddressKey& key) {
            return scene.regions.of(key.ip) == region;
        };
        const auto quick = static_cast<std::size_t>(std::ranges::count_if(use.quick, inside));
        const double share = static_cast<double>(keys.size()) / static_cast<double>(keys.size() + quick);
        if (keys.size() < several || share < share_of_use || quick == use.quick.size()) continue;
        std::erase_if(leaves, [&, &region = region](const Leaf& leaf) {
            const bool here = scene.regions.of(leaf.ip()) == region;
            if (here) slow[region].push_back(leaf);
            return here;
        });
    }
    return slow;
}

Finding behind_own_upload(const Scene& scene, Leaves slowed) {
    std::set<model::IpAddress> addresses;
    std::set<model::Prefix> blocks;
    for (const Leaf& leaf : slowed) {
        addresses.insert(leaf.ip());
        blocks.insert(model::Prefix::sibling_block(leaf.ip()));
    }
    if (blocks.size() > 1) return longer(scene, std::move(slowed), ScopeKind::uplink, std::nullopt);
    if (addresses.size() > 1)
        return longer(scene, std::move(slowed), ScopeKind::prefix, blocks.begin()->to_string());
    return longer(scene, std::move(slowed), ScopeKind::destination, std::nullopt);
}

}  // namespace

std::optional<RoundTrips::Shift> slower_by(const Destination& destination, core::BootNs now) {
    const RoundTrips* series = judged(destination, now);
    return series == nullptr ? std::nullopt : series->shift();
}

bool as_quick_as_usual(const Destination& destination, core::BootNs now) {
    const RoundTrips* series = judged(destination, now);
    return series != nullptr && !series->shift();
}

std::vector<Finding> judge_latency(const Scene& scene, const std::set<DestinationKey>& suspects) {
    Leaves leaves;
    std::map<model::Prefix, std::set<model::IpAddress>> blocks;
    std::set<AddressKey> addresses;
    for (const DestinationKey& key : suspects) {
        const Destination* destination = scene.destinations.find(key);
        const RoundTrips* series = destination == nullptr ? nullptr : judged(*destination, scene.now);
        if (series == nullptr || !series->shift()) continue;
        leaves.push_back({destination, *series->shift()});
        blocks[model::Prefix::sibling_block(key.endpoint.ip)].insert(key.endpoint.ip);
        addresses.insert({key.endpoint.ip, key.netns});
    }
    if (leaves.empty()) return {};
    const InUse use = in_use(scene, onset_of(leaves));
    std::set<model::Prefix> slower_blocks;
    for (const AddressKey& key : use.slower) slower_blocks.insert(model::Prefix::sibling_block(key.ip));
    const bool many = addresses.size() >= several && use.share() >= share_of_use;
    std::vector<Finding> findings;
    if (many && slower_blocks.size() > 1) {
        findings.push_back(longer(scene, leaves, ScopeKind::uplink, std::nullopt));
        return findings;
    }
    if (Leaves slowed = take_own_upload(scene, leaves); !slowed.empty()) {
        findings.push_back(behind_own_upload(scene, std::move(slowed)));
    }
    for (auto& [region, group] : take_slow_regions(scene, use, leaves))
        findings.push_back(longer(scene, std::move(group), ScopeKind::region, region));
    std::map<std::string, Leaves> places;
    for (const Leaf& leaf : leaves) {
        const model::Prefix block = model::Prefix::sibling_block(leaf.ip());
        const bool wide = blocks[block].size() >= several;
        places[wide ? block.to_string() : leaf.ip().to_string()].push_back(leaf);
    }
    for (auto& [place, group] : places) {
        const bool wide = place.contains('/');
        findings.push_back(longer(scene, std::move(group), wide ? ScopeKind::prefix : ScopeKind::destination,
                                  wide ? std::optional(place) : std::nullopt));
    }
    return findings;
}

}  // namespace netwatch::diagnosis
