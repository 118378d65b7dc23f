// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/state.h"

#include <algorithm>

#include "diagnosis/dns.h"
#include "diagnosis/handshakes.h"
#include "diagnosis/host_trouble.h"
#include "diagnosis/latency.h"
#include "diagnosis/loss.h"
#include "diagnosis/partial.h"
#include "diagnosis/path_mtu.h"
#include "diagnosis/quality.h"
#include "diagnosis/reachability.h"
#include "diagnosis/resets.h"
#include "diagnosis/stall.h"
#include "diagnosis/tls.h"

namespace netwatch::diagnosis {
namespace {

// Something about its connections may be wrong while they work.
bool is_strained(const Destination& destination, core::BootNs now) {
    if (!destination.detail) return false;
    const Detail& detail = *destination.detail;
    return detail.is_slower() || detail.handshakes_made.alarms(now) || detail.turned_away.alarms(now) ||
           !detail.shut.empty() || !detail.cuts.healed(now) ||
           !(detail.answers.late.empty() || answers_healed(detail.answers, now));
}

}  // namespace

Scene Engine::State::scene() const {
    const core::BootNs started = host_.started_ns != 0 ? host_.started_ns : first_clock_;
    return {destinations_, processes_, failed_neighbors_, exhaustion_, network_, journal_,
            close_waits_,  counters_,  sockets_,          calls_,      regions_, names_,
            resolvers_,    tls_,       cgroups_,          anchor_,     now_,     started};
}

void Engine::State::judge() {
    judged_at_ = now_;
    dirty_ = false;
    std::erase_if(failing_, [this](const DestinationKey& key) {
        Destination* destination = destinations_.find(key);
        if (destination != nullptr) destination->forget_suspicion(now_);
        return destination == nullptr || !destination->run || destination->run->over(now_);
    });
    for (const DestinationKey& key : failing_) destinations_.find(key)->note_fallbacks(processes_);
    Scene now = scene();
    now.lost_for_good = std::max(share_lost_for_good(now, strained_), share_lost_between(now, unsteady_));
    std::vector<Finding> findings = exhaustion_.judge(now);
    std::ranges::move(judge_host(now, failing_), std::back_inserter(findings));
    std::ranges::move(close_waits_.judge(now), std::back_inserter(findings));
    std::ranges::move(judge_reachability(now, failing_), std::back_inserter(findings));
    std::ranges::move(judge_dns(now), std::back_inserter(findings));
    std::ranges::move(judge_path_mtu(now, oversized_), std::back_inserter(findings));
    std::ranges::move(judge_handshakes(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_limits(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_loss(now, lossy_), std::back_inserter(findings));
    if (now_ >= held_until_) std::ranges::move(judge_latency(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_tls(now), std::back_inserter(findings));
    std::ranges::move(judge_resets(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_stalls(now, strained_), std::back_inserter(findings));
    if (now_ >= held_until_) std::ranges::move(judge_service(now, strained_), std::back_inserter(findings));
    std::ranges::move(judge_certificates(now), std::back_inserter(findings));
    for (Finding& finding : findings) weigh_counters(now, finding);
    book_.apply(findings, now, {model::text_of(host_.boot_id), lost_records(), missing_hooks()});

    const std::vector<AddressKey> followed = book_.lossy_addresses();
    std::erase_if(lossy_, [&](const AddressKey& key) {
        const Address* address = destinations_.find_address(key);
        const bool alarms =
            address != nullptr && address->quality &&
            (address->quality->forward_alarms(now_) || address->quality->reverse_alarms(now_));
        return !alarms && std::ranges::find(followed, key) == followed.end();
    });
    std::erase_if(oversized_, [&](const AddressKey& key) {
        const Address* address = destinations_.find_address(key);
        return address == nullptr || !full_segments_missing(*address, now_);
    });
    std::erase_if(unsteady_, [&](const DestinationKey& key) {
        const Destination* destination = destinations_.find(key);
        return destination == nullptr || !destination->detail ||
               destination->detail->handshakes_made.between(now_).count == 0;
    });
    std::erase_if(strained_, [&](const DestinationKey& key) {
        const Destination* destination = destinations_.find(key);
        return destination == nullptr || (!book_.needs(key) && !is_strained(*destination, now_));
    });
}

std::uint64_t Engine::State::lost_records() const {
    std::uint64_t lost = 0;
    for (const auto& [kind, account] : accounts_) {
        lost += account.dropped_full + account.dropped_map + account.missed;
    }
    return lost;
}

std::vector<std::string> Engine::State::missing_hooks() const {
    std::vector<std::string> missing;
    for (const auto& [signal, hook] : hooks_) {
        if (hook.state == NETWATCH_HOOK_MISSING) missing.push_back(signal);
    }
    return missing;
}

}  // namespace netwatch::diagnosis
