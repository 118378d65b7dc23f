// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/dns_tries.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t retry_ns = core::ns_per_s;
constexpr std::uint64_t related_ns = 2 * core::ns_per_s;
constexpr std::size_t healthy_tries = 3;
constexpr std::uint64_t healthy_ns = core::ns_per_s;
constexpr std::size_t rare_tries = 2;
constexpr std::uint64_t rare_span_ns = 4 * core::ns_per_s;
constexpr std::size_t lossless_tries = 8;
constexpr std::uint64_t lossless_ns = 8 * core::ns_per_s;
constexpr std::uint64_t seldom_lossless_ns = 14 * core::ns_per_s;
constexpr std::uint64_t silence_ns = 100 * core::ns_per_ms;  // between questions, at least
constexpr std::uint64_t burst_part = 4;
constexpr std::uint64_t unasked_ns = 60 * core::ns_per_s;

std::string_view first_label(std::string_view name) { return name.substr(0, name.find('.')); }

bool is_bad(const Try& one, double late_us) {
    return !one.good() || one.unanswered > 0 || static_cast<double>(one.took_us) >= late_us;
}

bool is_local(const Scene& scene, const DestinationKey& key, std::uint32_t netns) {
    return key.endpoint.ip.is_loopback() || scene.network.has_address(netns, key.endpoint.ip);
}

std::set<std::string> bad_names(const Resolver& resolver) {
    std::set<std::string> names;
    for (const Try& one : resolver.tries) {
        if (!one.good()) names.insert(one.name);
    }
    return names;
}

}  // namespace

const Resolver* resolver_at(const Scene& scene, DestinationKey key) {
    key.endpoint.protocol = model::Protocol::udp;
    return scene.resolvers.find(key);
}

bool end_a_silence(const Tries& late) {
    const auto [first, last] = std::ranges::minmax(late, {}, &Try::at);
    const std::uint64_t asked_ns = last->at - first->at;
    const std::uint64_t told_ns = late.back()->known_at - late.front()->known_at;
    return asked_ns >= silence_ns && told_ns < asked_ns / burst_part;
}

Tries since_last_good(const Scene& scene, const Resolver& resolver) {
    Tries tries;
    for (const Try& one : resolver.tries) {
        const bool recent = one.known_at + Resolver::remembered_ns >= scene.now;
        if (!one.good() && recent && one.at > resolver.last_good_at) tries.push_back(&one);
    }
    return tries;
}

Tries outside_outages(const Resolver& resolver) {
    constexpr std::size_t outage_tries = 3;
    Tries all;
    for (const Try& one : resolver.tries) all.push_back(&one);
    std::ranges::stable_sort(all, {}, &Try::at);
    Tries kept;
    Tries run;
    const auto end_run = [&] {
        const bool mute = std::ranges::any_of(
            run, [](const Try* one) { return one->fate == Fate::silent || one->fate == Fate::closed; });
        const bool outage = run.size() >= outage_tries && (mute || names_of(run).size() > 1);
        if (!outage) kept.insert(kept.end(), run.begin(), run.end());
        run.clear();
    };
    for (const Try* one : all) {
        if (!one->good()) {
            run.push_back(one);
            continue;
        }
        end_run();
        kept.push_back(one);
    }
    end_run();
    return kept;
}

std::uint32_t observations(const Tries& tries) {
    std::map<std::pair<ProcessKey, std::string>, core::BootNs> last;
    std::uint32_t count = 0;
    for (const Try* one : tries) {
        core::BootNs& at = last[{one->process(), one->name}];
        if (at != 0 && at + retry_ns > one->at) continue;
        at = one->at;
        ++count;
    }
    return count;
}

std::size_t questions_of(const Tries& tries) {
    std::size_t count = 0;
    for (const Try* one : tries) count += one->questions;
    return count;
}

std::size_t unanswered_questions(const Tries& tries) {
    std::size_t count = 0;
    for (const Try* one : tries) count += one->unanswered;
    return count;
}

std::set<std::string> names_of(const Tries& tries) {
    std::set<std::string> names;
    for (const Try* one : tries) {
        if (!one->over_tcp) names.insert(one->name);
    }
    return names;
}

bool other_names_worked(const Resolver& resolver, const std::string& name) {
    return std::ranges::any_of(resolver.tries,
                               [&](const Try& one) { return one.good() && one.name != name; });
}

bool resolved_otherwise(const Scene& scene, const Try& one) {
    return std::ranges::any_of(scene.resolvers.all(), [&](const auto& entry) {
        return std::ranges::any_of(entry.second.tries, [&](const Try& other) {
            return other.addresses && other.process() == one.process() && other.at + together_ns >= one.at &&
                   other.at <= one.at + related_ns && first_label(other.name) == first_label(one.name);
        });
    });
}

std::size_t flows_to(const Scene& scene, const model::IpAddress& ip) {
    const Address* address = scene.destinations.find_address({ip, 0});
    if (address == nullptr) return 0;
    std::size_t flows = 0;
    for (const std::uint16_t port : address->ports) {
        const Destination* one = scene.destinations.find({{ip, port, model::Protocol::tcp}, {}, 0});
        if (one != nullptr) flows += one->flows;
    }
    return flows;
}

bool answers_again(const Scene& scene, const Resolver& resolver, bool after_loss) {
    const double late_us = resolver.late_us();
    core::BootNs last_bad = 0;
    for (const Try& one : resolver.tries) {
        if (is_bad(one, late_us)) last_bad = std::max(last_bad, one.known_at);
    }
    std::size_t good = 0;
    core::BootNs first = 0;
    core::BootNs last = 0;
    for (const Try& one : resolver.tries) {
        if (is_bad(one, late_us) || one.known_at <= last_bad) continue;
        if (good++ == 0) first = one.known_at;
        last = one.known_at;
    }
    if (good == 0) return false;
    if (after_loss) {
        const bool quiet = last_bad + lossless_ns <= scene.now && good >= lossless_tries;
        return quiet || (last_bad + seldom_lossless_ns <= scene.now && good >= healthy_tries);
    }
    if (good >= rare_tries && first + rare_span_ns <= last) return true;
    return good >= healthy_tries && first + healthy_ns <= scene.now;
}

bool resolves_again(const Scene& scene, const Resolver& resolver, const std::string& name) {
    const Try* latest = nullptr;
    for (const Try& one : resolver.tries) {
        if (one.name == name) latest = &one;
    }
    const Name* known = scene.names.find(name);
    if (latest == nullptr) return known == nullptr || known->asked_at + unasked_ns < scene.now;
    return known != nullptr && known->resolved_at >= latest->at;
}

void attribute_to_upstream(const Scene& scene, std::vector<Finding>& findings) {
    const auto is_stub = [&](const Finding& finding) {
        const DestinationKey& key = finding.members.front();
        const Destination* destination = scene.destinations.find(key);
        return is_local(scene, key, destination == nullptr ? key.netns : destination->netns);
    };
    const auto shares_names = [&](const Finding& a, const Finding& b) {
        const auto names = bad_names(*scene.resolvers.find(a.members.front()));
        const auto others = bad_names(*scene.resolvers.find(b.members.front()));
        return std::ranges::any_of(names, [&](const auto& name) { return others.contains(name); });
    };
    std::vector<Finding> upstreams;
    std::vector<Finding> stubs;
    for (Finding& finding : findings) (is_stub(finding) ? stubs : upstreams).push_back(std::move(finding));
    findings.clear();
    for (Finding& stub : stubs) {
        const auto upstream =
            std::ranges::find_if(upstreams, [&](const Finding& one) { return shares_names(stub, one); });
        if (upstream == upstreams.end()) {
            findings.push_back(std::move(stub));
            continue;
        }
        upstream->members.push_back(stub.members.front());
        upstream->first_affected = std::min(upstream->first_affected, stub.first_affected);
        upstream->severity = std::max(upstream->severity, stub.severity);
        note(*upstream, scene, "stub_fails_with_it", 1,
             fmt::format("{} on this host passes questions on to it, and fails with it",
                         stub.members.front().endpoint.to_display()));
    }
    std::ranges::move(upstreams, std::back_inserter(findings));
}

}  // namespace netwatch::diagnosis
