// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/names.h"

#include <algorithm>
#include <tuple>

namespace netwatch::diagnosis {
namespace {

constexpr std::size_t addresses_a_name = 16;
// Block lists answer with addresses that mean yes, names of ads are sent there: no way leads to them.
bool leads_somewhere(const model::IpAddress& ip) { return !ip.is_loopback() && !ip.is_unspecified(); }

}  // namespace

void Names::learn(const std::string& name, std::span<const model::IpAddress> addresses,
                  const DestinationKey& resolver, std::uint64_t took_us, core::BootNs at) {
    if (std::ranges::none_of(addresses, leads_somewhere)) return;
    if (names_.size() >= names_kept || by_address_.size() >= addresses_kept) forget_surplus();
    Name& known = names_[name];
    known.resolved_at = known.asked_at = at;
    known.took_us = took_us;
    known.resolver = resolver;
    ++known.resolved;
    for (const model::IpAddress& ip : addresses) {
        if (!leads_somewhere(ip)) continue;
        std::erase(known.addresses, ip);
        known.addresses.push_back(ip);
        by_address_[ip] = name;
    }
    if (known.addresses.size() > addresses_a_name)
        known.addresses.erase(known.addresses.begin(), known.addresses.end() - addresses_a_name);
}

void Names::note_question(const std::string& name, core::BootNs at) {
    if (const auto found = names_.find(name); found != names_.end()) found->second.asked_at = at;
}

void Names::note_use(const model::IpAddress& ip) {
    const auto found = by_address_.find(ip);
    if (found == by_address_.end()) return;
    if (const auto name = names_.find(found->second); name != names_.end()) name->second.used = true;
}

const Name* Names::find(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : &found->second;
}

const std::string* Names::of(const model::IpAddress& ip) const {
    const auto found = by_address_.find(ip);
    return found == by_address_.end() ? nullptr : &found->second;
}

// A quarter at a time, so that it is done seldom.
void Names::forget_surplus() {
    std::vector<const std::pair<const std::string, Name>*> order;
    order.reserve(names_.size());
    for (const auto& entry : names_) order.push_back(&entry);
    std::ranges::sort(order, {}, [](const auto* entry) {
        return std::tuple(entry->second.used, entry->second.asked_at, entry->first);
    });
    order.resize(order.size() / 4);
    evicted_ += order.size();
    for (const auto* entry : order) {
        const std::string name = entry->first;
        names_.erase(name);
    }
    const auto is_lost = [this](const auto& entry) { return !names_.contains(entry.second); };
    std::erase_if(by_address_, is_lost);
    if (by_address_.size() < addresses_kept) return;
    // Few names with ever new addresses: the latest of each are left.
    std::erase_if(by_address_, [this](const auto& entry) {
        const auto& latest = names_.find(entry.second)->second.addresses;
        return std::ranges::find(latest, entry.first) == latest.end();
    });
}

}  // namespace netwatch::diagnosis
