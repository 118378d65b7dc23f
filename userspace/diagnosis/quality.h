// SPDX-License-Identifier: Apache-2.0
// Services that answer late over a healthy path. Pure.
#pragma once

#include <set>
#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"
#include "diagnosis/socket_table.h"

namespace netwatch::diagnosis {

// Destinations whose answers come late although the path is clean both ways.
[[nodiscard]] std::vector<Finding> judge_service(const Scene& scene,
                                                 const std::set<DestinationKey>& suspects);

// Takes one look at an answer into a destination's account of them. True if it was late.
bool add_answer(Answers& answers, const AnswerLook& look, core::BootNs at, std::uint64_t sock);

// How many requests wait, far beyond the usual, for a service that has answered nobody since they
// were sent.
[[nodiscard]] std::size_t requests_waiting(const Answers& answers);

// Answers have come in their usual time again for long enough.
[[nodiscard]] bool answers_healed(const Answers& answers, core::BootNs now);

}  // namespace netwatch::diagnosis
