// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/leaf.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace netwatch::diagnosis {
namespace {

// An answer fixes the class, three fix the incident. Where failures were common before, as many more as a
// one-in-a-million chance asks for (Wald's bound under the share seen before).
constexpr double chance = 1e-6;
constexpr std::uint32_t fewest = 3;
constexpr std::uint32_t most = 30;
// A service restarts in less: refusals count from then on.
constexpr std::uint64_t restart_ns = 1'200 * core::ns_per_ms;
// ARP and neighbour discovery give up after three probes a second apart; who was not the first to ask waits
// less. connect() hears of an error with its next SYN, so a second says nothing where that alone was seen:
// over IPv6, and on kernels without the hook.
constexpr std::uint64_t resolution_ns = 900 * core::ns_per_ms;
constexpr std::uint64_t resolution_heard_ns = 2'500 * core::ns_per_ms;
constexpr std::uint32_t scan_attempts = 4;  // scanners try again where nothing answers
constexpr double steady_beat_ns = 0.4e9;
// Whether other connections move meanwhile is known once they have been looked at, which is done every second
// (where the kernel lets them be seen).
constexpr std::uint64_t look_ns = 1'500 * core::ns_per_ms;
constexpr std::size_t region_addresses = 3;
constexpr double region_share = 0.8;  // of the addresses in use that a region's fault explains (BlameIt)

// Silence that the loss on the way explains.
double lost_on_the_way(const Scene& scene, const DestinationKey& key) {
    const Address* address = scene.destinations.find_address({key.endpoint.ip, key.netns});
    return address != nullptr && address->quality ? address->quality->round_trip_loss(scene.now) : 0;
}

// Or the share of first SYNs that get no answer between others that do.
double lost_at_first(const Scene& scene, const Destination& destination) {
    if (!destination.detail || !destination.detail->handshakes_made.partly_lost(scene.now)) return 0;
    return destination.detail->handshakes_made.summary().share();
}

std::uint32_t needed(const Scene& scene, const Destination& destination, OutcomeClass cls) {
    const double lost = cls != OutcomeClass::silent ? 0
                                                    : std::max(lost_on_the_way(scene, destination.key),
                                                               lost_at_first(scene, destination));
    const double failed = static_cast<double>(destination.background_failure_share);
    const double elsewhere = cls == OutcomeClass::silent ? scene.lost_for_good : 0;
    const double share = std::clamp(std::max({failed, lost, elsewhere}), 0.01, 0.9);
    return std::clamp(static_cast<std::uint32_t>(std::ceil(std::log(chance) / std::log(share))), fewest,
                      most);
}

// A health check of something that was never up: one process, a steady beat slower than a client's retries.
bool beats_steadily(const FailureRun& run) {
    if (!run.single_process || run.latest.size() < 3) return false;
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 1; i < run.latest.size(); ++i) {
        const core::BootNs start = run.latest[i].start;
        const double gap = static_cast<double>(start - std::min(start, run.latest[i - 1].start));
        sum += gap;
        squares += gap * gap;
    }
    const double n = static_cast<double>(run.latest.size() - 1);
    const double mean = sum / n;
    const double deviation = std::sqrt(std::max(0.0, squares / n - mean * mean));
    return mean >= steady_beat_ns && deviation < 0.1 * mean;
}

// One process touched many destinations that never answered, and does not come back to this one. The run of
// the first of them began before that was known.
bool scanned(const Scene& scene, const FailureRun& run) {
    if (run.attempts + run.pending > scan_attempts) return false;
    const Process* process = run.single_process ? scene.processes.find(run.process) : nullptr;
    return run.scanned || (process != nullptr && process->scans(run.last_at_ns));
}

// Retries of one process are no observations of their own, but they tell how long nothing has worked: longer
// than a restart takes, with an answer each time.
bool outlasts_a_restart(const Destination& destination) {
    const FailureRun& run = *destination.run;
    return destination.ever_worked() && run.observations >= 2 && run.attempts >= fewest &&
           destination.dominant() != OutcomeClass::silent && run.last_at_ns - run.first_at_ns >= restart_ns;
}

core::BootNs onset_of(const Leaf& leaf) { return leaf.run().first_start_ns; }

}  // namespace

std::optional<Leaf> leaf_of(const Scene& scene, const Destination& destination) {
    const FailureRun& run = *destination.run;
    if (run.over(scene.now)) return std::nullopt;
    if (!destination.ever_worked() && scanned(scene, run)) return std::nullopt;
    Leaf leaf{.destination = &destination, .cls = destination.dominant()};
    const bool moved_since = destination.last_progress_at > run.first_start_ns;
    const bool looked_since =
        destination.last_looked_at > run.first_at_ns || run.first_at_ns + look_ns <= scene.now;
    const bool others_may_move = !looked_since && run.stalled_rtos < destination.flows;
    const std::uint32_t stalls = moved_since || others_may_move ? 0 : run.stalled_rtos;
    const std::uint32_t told = run.observations - (moved_since ? run.flow_observations : 0);
    std::uint32_t units =
        destination.overdue_syns(scene.now) + stalls + told + (outlasts_a_restart(destination) ? 1 : 0);
    const std::uint32_t enough = needed(scene, destination, leaf.cls);
    // Where some connections are lost for good and others made, each tells of itself alone, however often it
    // tries.
    const bool each_alone = leaf.cls == OutcomeClass::silent && scene.lost_for_good > 0;
    if (each_alone) {
        units = std::min(units, destination.overdue_attempts(scene.now) +
                                    std::min(stalls, destination.flows) + told);
    }
    const bool silent_alone = !each_alone && leaf.cls == OutcomeClass::silent && destination.ever_worked() &&
                              units + destination.overdue_first_syns(scene.now) > 0 &&
                              scene.destinations.answered_elsewhere(leaf.address(), run.first_start_ns);
    if (!silent_alone && (units + 1 < enough || units < 2)) return std::nullopt;
    const bool restart = leaf.cls == OutcomeClass::refused && run.last_at_ns - run.first_at_ns < restart_ns;
    leaf.confirmed = units >= enough && !restart;
    return leaf;
}

bool resolution_failed(const FailureRun& run) {
    return run.answer_delay_ns >= (run.answer_seen ? resolution_ns : resolution_heard_ns);
}

bool harmless(const Scene& scene, const Leaf& leaf) {
    const FailureRun& run = leaf.run();
    if (run.masked(scene.now)) return true;
    if (leaf.destination->ever_worked()) return false;
    return beats_steadily(run) || !scene.watched_briefly();
}

std::optional<LocalDrop> answers_dropped_here(const Scene& scene, const Leaf& leaf) {
    const Address* address = scene.destinations.find_address(leaf.address());
    if (address == nullptr || !address->inbound_drops) return std::nullopt;
    return address->inbound_drops->most(leaf.run().first_start_ns, fewest);
}

std::optional<Address::Answer> other_port_answer(const Scene& scene, const Leaf& leaf) {
    const Address* address = scene.destinations.find_address(leaf.address());
    if (address == nullptr) return std::nullopt;
    std::optional<Address::Answer> latest;
    for (const Address::Answer& answer : address->answers()) {
        const core::BootNs begin = leaf.run().first_start_ns + in_flight_ns;
        const auto works_over = [&](model::Protocol protocol) {
            DestinationKey sibling = leaf.destination->key;
            sibling.endpoint.port = answer.port;
            sibling.endpoint.protocol = protocol;
            const Destination* neighbor = scene.destinations.find(sibling);
            if (neighbor == nullptr || neighbor->run != nullptr) return false;
            return protocol == leaf.endpoint().protocol || neighbor->last_success_at > begin;
        };
        const bool works = works_over(model::Protocol::tcp) || works_over(model::Protocol::udp);
        if (works && answer.at > begin && (!latest || answer.at > latest->at)) latest = answer;
    }
    return latest;
}

bool flows_live(const Leaf& leaf) {
    return leaf.destination->last_progress_at > leaf.run().first_start_ns + in_flight_ns;
}

std::optional<std::string> failed_region(const Scene& scene, const Leaves& leaves) {
    const auto region = scene.regions.of(leaves.front().endpoint().ip);
    const bool one = region && std::ranges::all_of(leaves, [&](const Leaf& leaf) {
                         return scene.regions.of(leaf.endpoint().ip) == region;
                     });
    if (!one || distinct_addresses(leaves) < region_addresses) return std::nullopt;
    std::set<AddressKey> bad;
    for (const Leaf& leaf : leaves) bad.insert(leaf.address());
    const core::BootNs since = silent_since(leaves);
    std::set<AddressKey> good;
    bool others_work = false;
    for (const auto& [key, destination] : scene.destinations.all()) {
        const bool answered = destination.last_success_at > since || destination.last_progress_at > since;
        const bool remote = key.perspective == model::Perspective::client && !key.endpoint.ip.is_loopback();
        if (!answered || !remote || bad.contains({key.endpoint.ip, key.netns})) continue;
        if (scene.regions.of(key.endpoint.ip) == region) {
            good.insert({key.endpoint.ip, key.netns});
        } else {
            others_work = true;
        }
    }
    const double share = static_cast<double>(bad.size()) / static_cast<double>(bad.size() + good.size());
    // What works in it leaves the one network that fails as the lower common group.
    const bool lower = !good.empty() && distinct_blocks(leaves) < 2;
    return others_work && share >= region_share && !lower ? region : std::nullopt;
}

bool any_worked(const Leaves& leaves) {
    return std::ranges::any_of(leaves, [](const Leaf& leaf) { return leaf.destination->ever_worked(); });
}

core::BootNs first_onset(const Leaves& leaves) { return onset_of(std::ranges::min(leaves, {}, onset_of)); }

core::BootNs silent_since(const Leaves& leaves) {
    const core::BootNs last = onset_of(std::ranges::max(leaves, {}, onset_of));
    return std::min(last + in_flight_ns, first_onset(leaves) + onset_spread_ns);
}

std::size_t distinct_addresses(const Leaves& leaves) {
    std::set<AddressKey> addresses;
    for (const Leaf& leaf : leaves) addresses.insert(leaf.address());
    return addresses.size();
}

std::size_t distinct_blocks(const Leaves& leaves) {
    std::set<model::Prefix> blocks;
    for (const Leaf& leaf : leaves) blocks.insert(leaf.block());
    return blocks.size();
}

std::uint32_t total(const Leaves& leaves, std::uint32_t FailureRun::* field) {
    std::uint32_t sum = 0;
    for (const Leaf& leaf : leaves) sum += leaf.run().*field;
    return sum;
}

}  // namespace netwatch::diagnosis
