// SPDX-License-Identifier: Apache-2.0
// Questions and answers for stories: who asked which resolver for what, and what came of it.
//
//     Story story;
//     DnsStory dns(story, "10.0.0.53:53");
//     dns.resolves(1, "db.lab").fails(2, "db.lab", 2).is_unanswered(3, "db.lab");
#pragma once

#include <string>
#include <string_view>

#include "support/story.h"

namespace netwatch::support {

class DnsStory {
public:
    DnsStory(Story& story, std::string resolver);

    // A and AAAA asked together from a socket of their own; both answered with that rcode.
    DnsStory& answers(double at, std::string_view name, int rcode, Who who = {2214, "getent"},
                      double took_ms = 2);
    DnsStory& resolves(double at, std::string_view name, std::string_view ip = "10.1.0.1",
                       Who who = {2214, "getent"}, double took_ms = 2);
    DnsStory& is_unanswered(double at, std::string_view name, Who who = {2214, "getent"});
    // A is answered, AAAA is not.
    DnsStory& is_half_answered(double at, std::string_view name, Who who = {2214, "getent"});
    // Of A and AAAA asked together one is told that its answer does not fit; the asker leaves and goes on
    // over TCP.
    DnsStory& is_cut_off(double at, std::string_view name, Who who = {2214, "getent"});
    // ICMP port unreachable.
    DnsStory& is_refused(double at, std::string_view name, Who who = {2214, "getent"});
    // From one socket that the asker keeps, A only; `answered` or not.
    DnsStory& asks_from(std::uint64_t sock, double at, std::string_view name, bool answered, Who who);
    // One question, answered after two milliseconds or not.
    DnsStory& asks(std::uint64_t sock, double at, std::uint16_t id, std::string_view name, std::uint16_t type,
                   Who who, bool answered);
    // The same every so often, over three names, by a process for each.
    template <typename Once>
    DnsStory& repeat(double from, double to_s, double every, Once once) {
        static constexpr std::string_view names[] = {"db.lab", "api.lab", "web.lab"};
        std::uint32_t count = 0;
        for (double at = from; at < to_s; at += every, ++count)
            once(at, names[count % 3], Who{++pid_, "getent"});
        return *this;
    }

private:
    [[nodiscard]] netwatch_dns_message message(double at, std::uint64_t sock, std::uint16_t id,
                                               std::string_view name, std::uint16_t type, Who who) const;
    void question(double at, std::uint64_t sock, std::uint16_t id, std::string_view name, std::uint16_t type,
                  Who who);
    void answer(double at, std::uint64_t sock, std::uint16_t id, std::string_view name, std::uint16_t type,
                int rcode, std::string_view ip = {}, bool truncated = false);

    Story& story_;
    std::string resolver_;
    std::uint64_t socks_ = 500'000;
    std::uint32_t pid_ = 30'000;
};

}  // namespace netwatch::support
