// SPDX-License-Identifier: Apache-2.0
// Names and the addresses that they resolved to, as answers of resolvers told them. Bounded: of what has no
// room the names that nothing was connected to go first, then those not asked for longest; of a name with
// ever new addresses the earlier ones. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "diagnosis/destination.h"
#include "model/address.h"

namespace netwatch::diagnosis {

struct Name {
    std::vector<model::IpAddress> addresses;  // of the latest answers, at most 16
    core::BootNs resolved_at = 0;             // when an answer last had an address
    core::BootNs asked_at = 0;
    std::uint64_t took_us = 0;   // the latest answer with an address
    std::uint64_t resolved = 0;  // how often
    DestinationKey resolver;     // that gave it
    bool used = false;           // something connected to one of its addresses
};

class Names {
public:
    // An answer with addresses.
    void learn(const std::string& name, std::span<const model::IpAddress> addresses,
               const DestinationKey& resolver, std::uint64_t took_us, core::BootNs at);
    // It was asked for.
    void note_question(const std::string& name, core::BootNs at);
    // Something connects to the address.
    void note_use(const model::IpAddress& ip);

    // Null: not known.
    [[nodiscard]] const Name* find(const std::string& name) const;
    // The name that an address was last the answer to; null: none.
    [[nodiscard]] const std::string* of(const model::IpAddress& ip) const;
    [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

private:
    static constexpr std::size_t names_kept = 16'384;
    static constexpr std::size_t addresses_kept = 32'768;
    void forget_surplus();

    std::unordered_map<std::string, Name> names_;
    std::unordered_map<model::IpAddress, std::string> by_address_;
    std::uint64_t evicted_ = 0;
};

}  // namespace netwatch::diagnosis
