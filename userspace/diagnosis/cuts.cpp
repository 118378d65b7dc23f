// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/cuts.h"

#include <algorithm>

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t kept = 64;
constexpr std::uint64_t span_ns = 60 * core::ns_per_s;
constexpr std::uint64_t shortest_limit_ns = 5 * core::ns_per_s;  // no middlebox forgets sooner
constexpr std::uint64_t quiet_ns = 5 * core::ns_per_s;
// The first that was cut may have noticed later than others that something had happened.
constexpr std::uint64_t unsure_ns = 2 * core::ns_per_s;
// A process that ends resets all its connections at once; a host that knows them no more, each when it is
// used.
constexpr std::uint64_t one_moment_ns = 20 * core::ns_per_ms;
constexpr std::uint64_t late_segment_ns = 3 * core::ns_per_s;

}  // namespace

void Cuts::forget_before(core::BootNs at) {
    while (!latest_.empty() && latest_.front().at < at) latest_.pop_front();
}

core::BootNs Cuts::first_asked() const {
    return latest_.empty() ? 0 : std::ranges::min(latest_, {}, &Cut::asked_at).asked_at;
}

core::BootNs Cuts::first_rest() const {
    core::BootNs earliest = ~core::BootNs{0};
    for (const Cut& cut : latest_)
        earliest = std::min(earliest, cut.asked_at - std::min(cut.asked_at, cut.rested_ns));
    return latest_.empty() ? 0 : earliest;
}

core::BootNs Cuts::onset() const {
    const core::BootNs first = first_asked();
    if (test_.onset() == 0) return first;
    return first == 0 ? test_.onset() : std::min(first, test_.onset());
}

void Cuts::add_activity(const Activity& activity) {
    forget_before(activity.at - std::min(activity.at, span_ns));
    if (!activity.answered) return;
    // Who began to forget may have spared what rested already.
    if (activity.moved_at - std::min(activity.moved_at, activity.rested_ns) >= first_rest())
        survived_since_ = std::max(survived_since_, activity.rested_ns);
    ++answered_since_;
    const core::BootNs first = first_asked();
    if (first == 0 || activity.moved_at <= first) return;
    if (activity.began > first) {
        ++young_answers_;
    } else if (activity.began + unsure_ns < first) {
        ++old_answers_;
    }
}

void Cuts::add(const Cut& cut) {
    if (!cut.silent) test_.add(1, 1, cut.at);
    revive(cut.sock);  // silent before, reset now: one cut
    survived_ns_ = std::max(survived_ns_, survived_since_);
    if (latest_.empty()) {
        survived_ns_ = 0;  // what was survived before nothing was cut says nothing of now
        old_answers_ = young_answers_ = 0;
    }
    latest_.push_back(cut);
    if (latest_.size() > kept) latest_.pop_front();
    answered_since_ = 0;
    survived_since_ = 0;
}

void Cuts::revive(std::uint64_t sock) {
    latest_.remove_if([sock](const Cut& cut) { return cut.silent && cut.sock == sock; });
}

void Cuts::note_segment_after(std::uint16_t local_port, core::BootNs at) {
    for (Cut& cut : latest_) {
        if (!cut.silent && cut.local_port == local_port && cut.at + late_segment_ns >= at)
            cut.sender = Sender::other;
    }
}

std::uint64_t Cuts::idle_limit_ns() const {
    if (latest_.empty()) return 0;
    const std::uint64_t least = std::ranges::min(latest_, {}, &Cut::rested_ns).rested_ns;
    return least >= shortest_limit_ns && survived_ns_ < least ? least : 0;
}

bool Cuts::healed(core::BootNs now) const {
    if (latest_.empty()) return true;
    const bool quiet = latest_.back().at + quiet_ns <= now && answered_since_ >= enough_answers;
    // What is cut only when idle has healed when something idle is not.
    return quiet && (idle_limit_ns() == 0 || survived_since_ >= idle_limit_ns());
}

Cuts::Tally Cuts::tally() const {
    Tally tally{.old_answers = old_answers_};
    if (latest_.empty()) return tally;
    tally.first_at = latest_.front().at;
    const core::BootNs first = first_asked();
    core::BootNs moment = 0;
    for (const Cut& cut : latest_) {
        tally.silent += cut.silent ? 1 : 0;
        tally.keepalive += cut.keepalive ? 1 : 0;
        tally.busy += cut.rested_ns < shortest_limit_ns ? 1 : 0;
        tally.young += cut.began > first ? 1 : 0;
        tally.from_peer += cut.sender == Sender::peer ? 1 : 0;
        tally.from_others += cut.sender == Sender::other ? 1 : 0;
        if (cut.at > moment + one_moment_ns) ++tally.moments;
        moment = cut.at;
    }
    return tally;
}

}  // namespace netwatch::diagnosis
