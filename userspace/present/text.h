// SPDX-License-Identifier: Apache-2.0
// The program's answers as plain text for a terminal, a pipe or a chat. Example:
//
//     std::fputs(present::answer(view, style).c_str(), stdout);
//
// All end with a line break. Nothing from outside reaches the text but through inert(). Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/incident.h"
#include "model/view.h"
#include "present/style.h"
#include "present/table.h"

namespace netwatch::present {

// Plain `netwatch`: is it the network, since when, who is hurt, the cause, what changed, whose it is, what to
// do next, and what could not be seen. `now`, where the caller has a clock, tells a view that has grown old.
[[nodiscard]] std::string answer(const model::HostView& view, const Style& style,
                                 std::optional<core::UtcNs> now = std::nullopt);
// The same as Markdown for a chat.
[[nodiscard]] std::string answer_markdown(const model::HostView& view,
                                          std::optional<core::UtcNs> now = std::nullopt);

// `netwatch incidents`: symptoms under their root. Without `all` the open ones above info.
[[nodiscard]] std::string incidents_table(std::span<const model::Incident> incidents, core::UtcNs at,
                                          bool all, const Style& style);

// One incident with everything that is known of it.
[[nodiscard]] std::string incident_details(const model::Incident& incident, core::UtcNs at,
                                           const Style& style);

// `netwatch why`. The view gives the host, the time and the incidents that the ladder names; an empty one
// will do.
[[nodiscard]] std::string ladder_text(const model::Ladder& ladder, const model::HostView& view,
                                      const Style& style);

// The eight rungs, one line each, without the rest.
[[nodiscard]] std::string ladder_steps(const model::LadderSteps& steps, const Style& style);

// Destinations as columns; at most `limit` rows, then how many more there are.
[[nodiscard]] std::string destinations_table(const model::HostView& view, const RowQuery& query,
                                             std::size_t limit, const Style& style);

// `netwatch top --once`: the state of the observer, the incidents, the destinations.
[[nodiscard]] std::string host_text(const model::HostView& view, const Style& style);

// "✖ 1 critical  ▲ 1 warning │ lost 0 │ hooks 14 of 14 │ recording │ 412 destinations": what there is and
// whether netwatch itself can be trusted. One line without its break; parts that do not fit `width` are left
// out.
[[nodiscard]] std::string trust_line(const model::HostView& view, std::size_t width);

// `netwatch check`. `host`: what was found ("kernel 6.18.44, BTF, cgroup v2, root"); `ability`: what can be
// named with these hooks, the last line.
[[nodiscard]] std::string check_text(std::string_view host, std::span<const model::HookStatus> hooks,
                                     std::string_view ability, const Style& style);

// Where counters of the host come from: those that are there in one line, those that are missing each with
// its reason.
[[nodiscard]] std::string counters_text(std::span<const model::CounterSourceStatus> counters,
                                        const Style& style);

}  // namespace netwatch::present
