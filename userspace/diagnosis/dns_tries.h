// SPDX-License-Identifier: Apache-2.0
// Questions about the tries at a resolver that its judge asks. Pure; pointers live as long as the scene.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

using Tries = std::vector<const Try*>;

constexpr std::uint64_t together_ns = 50 * core::ns_per_ms;

// The resolver that is asked there, over whatever transport; null: none is known.
[[nodiscard]] const Resolver* resolver_at(const Scene& scene, DestinationKey key);
// The tries of the last minute after its last good answer, in the order in which their fate was known.
[[nodiscard]] Tries since_last_good(const Scene& scene, const Resolver& resolver);
// All tries in the order of asking, but for those of an outage: three and more in a row without a good answer
// between them, for several names or without an answer at all.
[[nodiscard]] Tries outside_outages(const Resolver& resolver);
// Tries of one process for one name within a second are one observation.
[[nodiscard]] std::uint32_t observations(const Tries& tries);
[[nodiscard]] std::size_t questions_of(const Tries& tries);
[[nodiscard]] std::size_t unanswered_questions(const Tries& tries);
[[nodiscard]] std::set<std::string> names_of(const Tries& tries);
// Another name was answered.
[[nodiscard]] bool other_names_worked(const Resolver& resolver, const std::string& name);
// The process got an address for what it wanted: another candidate of its search list, or another resolver's
// word.
[[nodiscard]] bool resolved_otherwise(const Scene& scene, const Try& one);
// Established connections to an address.
[[nodiscard]] std::size_t flows_to(const Scene& scene, const model::IpAddress& ip);

// Good answers in a row since the last bad one, as many and as long as make it sound; more after losses.
[[nodiscard]] bool answers_again(const Scene& scene, const Resolver& resolver, bool after_loss);
[[nodiscard]] bool resolves_again(const Scene& scene, const Resolver& resolver, const std::string& name);

// Answered together, what was asked one by one: they waited for the end of a silence. Of tries in the order
// in which their fate was known.
[[nodiscard]] bool end_a_silence(const Tries& late);

// A stub on this host that fails only with what it passes on to is part of that one's incident.
void attribute_to_upstream(const Scene& scene, std::vector<Finding>& findings);

}  // namespace netwatch::diagnosis
