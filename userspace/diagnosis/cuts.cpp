// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/cuts.h"

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 64;
constexpr std::uint64_t span_ns = 60 * core::ns_per_s;
constexpr std::uint64_t shortest_limit_ns = 5 * core::ns_per_s;  // no middlebox forgets sooner
constexpr std::uint64_t quiet_ns = 5 * core::ns_per_s;
constexpr std::uint32_t enough_answers = 3;

}  // namespace

void Cuts::add_activity(std::uint64_t idled_ns, bool answered, core::BootNs at) {
    while (!latest_.empty() && latest_.front().at + span_ns < at) latest_.pop_front();
    if (!answered) return;
    survived_ns_ = std::max(survived_ns_, idled_ns);
    survived_since_ = std::max(survived_since_, idled_ns);
    ++answered_since_;
}

void Cuts::add_end(bool cut, std::uint64_t idled_ns, core::BootNs at) {
    test_.add(cut ? 1 : 0, 1, at);
    if (!cut) return;
    if (latest_.empty()) survived_ns_ = 0;  // what was survived before nothing was cut says nothing of now
    latest_.push_back({at, idled_ns});
    if (latest_.size() > kept) latest_.pop_front();
    answered_since_ = 0;
    survived_since_ = 0;
}

std::uint64_t Cuts::idle_limit_ns() const {
    if (latest_.empty()) return 0;
    const std::uint64_t least = std::ranges::min(latest_, {}, &Cut::idled_ns).idled_ns;
    return least >= shortest_limit_ns && survived_ns_ < least ? least : 0;
}

bool Cuts::healed(core::BootNs now) const {
    if (latest_.empty()) return true;
    const bool quiet = latest_.back().at + quiet_ns <= now && answered_since_ >= enough_answers;
    // What is cut only when idle has healed when something idle is not.
    return quiet && (idle_limit_ns() == 0 || survived_since_ >= idle_limit_ns());
}

}  // namespace netwatch::diagnosis
