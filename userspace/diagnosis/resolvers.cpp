// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/resolvers.h"

#include <algorithm>
#include <utility>

#include "model/record.h"

namespace netwatch::diagnosis {
namespace {

constexpr std::uint64_t together_ns = 50 * core::ns_per_ms;  // A and AAAA of one call
constexpr std::uint64_t least_patience_ns = core::ns_per_s;
constexpr double least_late_us = 500'000;
constexpr double patience_factor = 8;
constexpr std::uint32_t known_answers = 10;
constexpr std::uint64_t answered_late_ns = 10 * core::ns_per_s;  // answers that come later are not waited for
constexpr std::uint64_t again_ns = 15 * core::ns_per_s;          // within it the same name is a retry
constexpr std::size_t questions_a_try = 4;
constexpr int servfail = 2;
constexpr int nxdomain = 3;
constexpr int refused = 5;

// Somebody who guesses may send anything: the name has to be the one that was asked for.
bool is_answer_to(const netwatch_dns_message& answer, const std::string& name) {
    return answer.name[0] == '\0' || model::text_of(answer.name) == name;
}

Fate fate_of(const netwatch_dns_message& answer) {
    switch (answer.rcode) {
        case servfail: return Fate::failed;
        case nxdomain: return Fate::gone;
        case refused: return Fate::denied;
        default: return Fate::answered;
    }
}

}  // namespace

std::uint64_t Resolver::patience_ns() const {
    if (usual_us.count() < known_answers) return least_patience_ns;
    const auto usual = static_cast<std::uint64_t>(*usual_us.quantile(0.99) * patience_factor);
    return std::max(least_patience_ns, usual * core::ns_per_us);
}

double Resolver::late_us() const {
    if (usual_us.count() < known_answers) return least_late_us;
    return std::max(least_late_us, *usual_us.quantile(0.99) * patience_factor);
}

Resolver* Resolvers::obtain(const DestinationKey& key, core::BootNs at) {
    if (const auto found = resolvers_.find(key); found != resolvers_.end()) return &found->second;
    // Whoever walks through the name servers of the world asks each of them a few times.
    if (resolvers_.size() >= resolvers_kept) {
        resolvers_.erase(std::ranges::min_element(resolvers_, {}, [](const auto& entry) {
            const Resolver& one = entry.second;
            return std::pair(one.asked, one.last_good_at);
        }));
    }
    Resolver& made = resolvers_[key];
    made.first_seen = at;
    return &made;
}

const Resolver* Resolvers::find(const DestinationKey& key) const {
    const auto found = resolvers_.find(key);
    return found == resolvers_.end() ? nullptr : &found->second;
}

// The process asked for the name before, and was not answered.
bool Resolvers::asked_before(const Try& one) const {
    const auto before = [&](const Try& other) {
        return other.process() == one.process() && other.name == one.name && other.at < one.at &&
               other.at + again_ns >= one.at && other.unanswered > 0;
    };
    return told_ > 0 &&
           std::ranges::any_of(open_, [&](const Open& open) { return open.told && before(open.is); });
}

void Resolvers::ask(const netwatch_dns_message& message, const DestinationKey& key) {
    const core::BootNs at = message.header.at_ns;
    const QuestionKey question{message.sock, message.id};
    const std::string name = model::text_of(message.name);
    const auto again = by_question_.find(question);
    const auto same = by_socket_.find(message.sock);
    const bool of_one_call = same != by_socket_.end() && same->second->is.name == name &&
                             same->second->is.at + together_ns >= at && same->second->is.resolver == key;
    if (again != by_question_.end()) {
        if (of_one_call && again->second == same->second) return;  // the same question, sent twice
        by_question_.erase(again);
    }
    const bool joins = of_one_call && same->second->questions.size() < questions_a_try;
    if (joins && same->second->cut_off) return;  // its answer will not be read
    if (!joins) {
        if (open_.size() >= tries_open) close(open_.begin());
        Try is{.resolver = key,
               .asker = message.process,
               .netns = message.header.netns,
               .name = name,
               .sock = message.sock,
               .local_port = message.tuple.local_port,
               .at = at};
        is.again = asked_before(is);
        open_.push_back({std::move(is), {}});
        by_socket_[message.sock] = std::prev(open_.end());
        if (Resolver* resolver = obtain(key, at)) ++resolver->asked;
    }
    const auto open = joins ? same->second : std::prev(open_.end());
    if (std::exchange(open->done, false)) open->is.more = true;
    open->questions.push_back({message.id, message.query_type, at});
    by_question_[question] = open;
}

std::optional<Resolvers::Asked> Resolvers::asked(const netwatch_dns_message& answer) const {
    const auto found = by_question_.find({answer.sock, answer.id});
    if (found == by_question_.end()) return std::nullopt;
    const Open& open = *found->second;
    const auto question = std::ranges::find(open.questions, answer.id, &Question::id);
    if (question == open.questions.end() || !is_answer_to(answer, open.is.name)) return std::nullopt;
    const core::BootNs at = answer.header.at_ns;
    return Asked{open.is.name, (at - std::min(at, question->at)) / core::ns_per_us};
}

void Resolvers::answer(const netwatch_dns_message& message, Settled& settled) {
    const auto found = by_question_.find({message.sock, message.id});
    if (found == by_question_.end()) return;
    const auto open = found->second;
    if (!is_answer_to(message, open->is.name)) return;
    const auto question = std::ranges::find(open->questions, message.id, &Question::id);
    if (question == open->questions.end() || question->answered_at != 0) return;
    question->answered_at = message.header.at_ns;
    question->fate = fate_of(message);
    open->is.addresses = open->is.addresses || message.address_total > 0;
    if (message.truncated != 0) cut_off(*open, message.id);
    const bool all =
        std::ranges::all_of(open->questions, [](const Question& one) { return one.answered_at != 0; });
    if (!all) return;
    settle(*open, message.header.at_ns, settled);
    open->done = true;
}

// Whoever is told that an answer does not fit asks again over TCP at once, and listens to nothing more here.
void Resolvers::cut_off(Open& open, std::uint16_t id) {
    open.cut_off = true;
    std::erase_if(open.questions, [&](const Question& question) {
        const bool waits = question.id != id && question.answered_at == 0;
        const auto found = by_question_.find({open.is.sock, question.id});
        if (waits && found != by_question_.end() && &*found->second == &open) by_question_.erase(found);
        return waits;
    });
}

// The best of its answers is the try's fate: where one address family fails, the other serves.
void Resolvers::settle(Open& open, core::BootNs at, Settled& settled) {
    Try& is = open.is;
    is.known_at = at;
    is.late = open.told;
    is.questions = static_cast<std::uint8_t>(open.questions.size());
    is.unanswered = 0;
    is.fate = Fate::silent;
    core::BootNs last = 0;
    for (const Question& question : open.questions) {
        if (question.answered_at == 0) {
            ++is.unanswered;
            continue;
        }
        last = std::max(last, question.answered_at);
        is.fate = std::min(is.fate, question.fate);
    }
    is.took_us = last > is.at ? (last - is.at) / core::ns_per_us : 0;
    is.later_one = open.questions.size() == 2 && is.unanswered == 1 && open.questions.back().answered_at == 0;
    keep(is);
    settled.push_back(is);
}

void Resolvers::keep(const Try& one) {
    Resolver* resolver = obtain(one.resolver, one.at);
    auto& tries = resolver->tries;
    while (!tries.empty() && tries.front().known_at + Resolver::remembered_ns < one.known_at)
        tries.pop_front();
    if (one.late || one.more) {  // what was told of it before holds no more
        const auto told = std::ranges::find_if(tries, [&](const Try& other) {
            return other.sock == one.sock && other.at == one.at && other.name == one.name;
        });
        if (told != tries.end()) tries.erase(told);
    }
    if (tries.size() >= Resolver::tries_kept) tries.pop_front();
    tries.push_back(one);
    if (!one.good()) return;
    resolver->last_good_at = std::max(resolver->last_good_at, one.known_at);
    ++resolver->good;
    const auto took = static_cast<double>(one.took_us);
    if (one.unanswered == 0 && took < resolver->late_us()) resolver->usual_us.add(took);
}

void Resolvers::close(OpenTries::iterator open) {
    for (const Question& question : open->questions) {
        const auto found = by_question_.find({open->is.sock, question.id});
        if (found != by_question_.end() && found->second == open) by_question_.erase(found);
    }
    if (open->told) --told_;
    const auto latest = by_socket_.find(open->is.sock);
    if (latest != by_socket_.end() && latest->second == open) by_socket_.erase(latest);
    open_.erase(open);
}

Settled Resolvers::add(const netwatch_dns_message& message, const DestinationKey& resolver) {
    Settled settled;
    if (message.status != NETWATCH_DNS_PARSED) return settled;
    if (message.is_answer != 0) {
        answer(message, settled);
    } else {
        ask(message, resolver);
    }
    return settled;
}

Settled Resolvers::add_refusal(std::uint64_t sock, const DestinationKey& resolver, core::BootNs at) {
    Settled settled;
    for (auto open = open_.begin(); open != open_.end();) {
        const auto one = open++;
        if (one->is.sock != sock || one->is.resolver != resolver || one->done) continue;
        for (Question& question : one->questions) {
            if (question.answered_at != 0) continue;
            question.answered_at = at;
            question.fate = Fate::closed;
        }
        settle(*one, at, settled);
        close(one);
    }
    return settled;
}

void Resolvers::add_failed_connection(const Try& one) {
    if (resolvers_.contains(one.resolver)) keep(one);
}

Settled Resolvers::wait(core::BootNs now) {
    Settled settled;
    for (auto open = open_.begin(); open != open_.end();) {
        const auto one = open++;
        if (one->is.at + least_patience_ns > now) break;
        const Resolver* resolver = find(one->is.resolver);
        const std::uint64_t patience = resolver == nullptr ? least_patience_ns : resolver->patience_ns();
        if (!one->told && !one->done && one->is.at + patience <= now) {
            settle(*one, now, settled);
            one->told = true;
            ++told_;
        }
        if (one->done || one->is.at + std::max(patience, answered_late_ns) + again_ns <= now) close(one);
    }
    return settled;
}

}  // namespace netwatch::diagnosis
