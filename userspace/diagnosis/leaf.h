// SPDX-License-Identifier: Apache-2.0
// A destination that fails, as the judges of reachability see it, and what several of them say together.
// Pure; valid while the scene is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

// Answers that were on the way when the fault came arrive after it.
constexpr std::uint64_t in_flight_ns = 250 * core::ns_per_ms;
constexpr std::uint64_t onset_spread_ns = 2 * core::ns_per_s;  // a SYN before the fault may be lost in it

struct Leaf {
    const Destination* destination = nullptr;
    OutcomeClass cls = OutcomeClass::silent;
    bool confirmed = false;  // false: one observation short
    [[nodiscard]] const FailureRun& run() const { return *destination->run; }
    [[nodiscard]] const model::Endpoint& endpoint() const { return destination->key.endpoint; }
    [[nodiscard]] AddressKey address() const { return {endpoint().ip, destination->key.netns}; }
    [[nodiscard]] model::Prefix block() const { return model::Prefix::sibling_block(endpoint().ip); }
};
using Leaves = std::vector<Leaf>;

// Nothing where the run of failures is over, too short to judge, or a scan's. One SYN that nothing answers is
// enough for a suspicion where the destination worked and others answer.
[[nodiscard]] std::optional<Leaf> leaf_of(const Scene& scene, const Destination& destination);

// The answer to the earliest attempt took as long as address resolution takes to give up.
[[nodiscard]] bool resolution_failed(const FailureRun& run);

// Nobody is hurt: a fallback works, or nothing ever was there.
[[nodiscard]] bool harmless(const Scene& scene, const Leaf& leaf);

// Who on this host drops what comes back from it.
[[nodiscard]] std::optional<LocalDrop> answers_dropped_here(const Scene& scene, const Leaf& leaf);

// The latest answer of another port of its address, one that does not fail itself, since it began to fail.
[[nodiscard]] std::optional<Address::Answer> other_port_answer(const Scene& scene, const Leaf& leaf);

// Established connections to it have moved data since it began to fail.
[[nodiscard]] bool flows_live(const Leaf& leaf);

// The region that all of them lie in, where they are nearly all that is in use of it, or several of its
// networks with nearly nothing left, and something outside of it answers since.
[[nodiscard]] std::optional<std::string> failed_region(const Scene& scene, const Leaves& leaves);

[[nodiscard]] bool any_worked(const Leaves& leaves);
[[nodiscard]] core::BootNs first_onset(const Leaves& leaves);
// Whoever answers since then is not hit by the one fault that has all of them: some are asked late after it.
[[nodiscard]] core::BootNs silent_since(const Leaves& leaves);
[[nodiscard]] std::size_t distinct_addresses(const Leaves& leaves);
[[nodiscard]] std::size_t distinct_blocks(const Leaves& leaves);
[[nodiscard]] std::uint32_t total(const Leaves& leaves, std::uint32_t FailureRun::* field);

}  // namespace netwatch::diagnosis
