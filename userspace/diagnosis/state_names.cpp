// SPDX-License-Identifier: Apache-2.0
// What the engine takes in of names: questions, answers, and resolvers' ports that are shut.
#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "diagnosis/state.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint16_t dns_port = 53;

}  // namespace

// One resolver, whatever transport it is asked over.
DestinationKey Engine::State::resolver_of(const netwatch_tuple& tuple, std::uint32_t netns) const {
    DestinationKey key = key_of(tuple, netns, false);
    key.endpoint.protocol = model::Protocol::udp;
    return key;
}

void Engine::State::take(const netwatch_dns_message& record) {
    const core::BootNs at = record.header.at_ns;
    const DestinationKey key = resolver_of(record.tuple, record.header.netns);
    if (record.status == NETWATCH_DNS_PARSED && record.is_answer == 0)
        names_.note_question(model::text_of(record.name), at);
    if (record.status == NETWATCH_DNS_PARSED && record.address_count > 0) {
        std::vector<model::IpAddress> addresses;
        const std::size_t count = std::min<std::size_t>(record.address_count, NETWATCH_DNS_ADDRESSES);
        for (std::size_t i = 0; i < count; ++i) addresses.emplace_back(record.addresses[i]);
        // An answer that nobody waited for teaches nothing.
        if (const auto asked = resolvers_.asked(record))
            names_.learn(asked->name, addresses, key, asked->took_us, at);
    }
    take_tries(resolvers_.add(record, key));
}

void Engine::State::note_refused_question(const netwatch_connect& record, const Outcome& outcome) {
    if (record.tuple.remote_port != dns_port) return;
    if (outcome.cls != OutcomeClass::refused && outcome.cls != OutcomeClass::icmp_port_unreachable) return;
    resolvers_.add_failed_connection({.resolver = resolver_of(record.tuple, record.header.netns),
                                      .asker = record.process,
                                      .netns = record.header.netns,
                                      .name = {},
                                      .sock = record.sock,
                                      .local_port = record.tuple.local_port,
                                      .at = outcome.start_ns,
                                      .known_at = outcome.at_ns,
                                      .fate = Fate::closed,
                                      .questions = 1,
                                      .over_tcp = true});
    dirty_ = true;
}

void Engine::State::take_tries(const Settled& tries) {
    for (const Try& one : tries) {
        if (one.more && one.good()) continue;  // counted already
        Process* process = processes_.touch(one.asker, one.netns, one.known_at);
        Destination* destination = touch(one.resolver, one.netns, one.known_at);
        if (destination == nullptr) continue;
        if (one.late && destination->failed > 0) {  // it was counted as failed, and is answered after all
            --destination->failed;
            --destination->attempts;
        }
        Outcome outcome{.cls = one.good()                 ? OutcomeClass::established
                               : one.fate == Fate::silent ? OutcomeClass::silent
                                                          : OutcomeClass::refused,
                        .sock = one.sock,
                        .start_ns = one.at,
                        .at_ns = one.known_at,
                        .is_v4 = one.resolver.endpoint.ip.is_v4()};
        if (one.good() && one.unanswered == 0) outcome.rtt_us = static_cast<std::uint32_t>(one.took_us);
        destination->add(outcome, process);
        if (outcome.cls == OutcomeClass::silent && destination->run) destination->run->add_silent_syn(one.at);
        if (host_answered(outcome.cls)) destinations_.note_answer(one.resolver, one.known_at);
        if (one.good()) {
            dirty_ = dirty_ || book_.needs(one.resolver);
        } else {
            follow_failure(*destination);
            dirty_ = true;
        }
    }
}

}  // namespace netwatch::diagnosis
