// SPDX-License-Identifier: Apache-2.0
// Stable names in place of the true ones: the same for the same, wherever it stands. Example:
//
//     auto pseudonyms = Pseudonyms::make();
//     pseudonyms->process("checkout");                        // "process-1", every time
//     pseudonyms->address(*IpAddress::parse("10.1.2.3"));     // another one of 10.0.0.0/8
//     pseudonyms->text("checkout[12] cannot reach 10.1.2.3:443");
//
// Addresses keep their neighbourhood: two that share a prefix of n bits share one of n bits afterwards
// (Xu et al., "Prefix-Preserving IP Address Anonymization", ICNP 2002, with HMAC-SHA-256 under a key that
// nobody keeps), private and special networks stay what they are, and loopback stays itself. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "model/address.h"

namespace netwatch::recorder {

class Pseudonyms {
public:
    using Key = std::array<unsigned char, 32>;
    // Errors: the kernel gives no random key.
    [[nodiscard]] static core::Result<Pseudonyms> make();
    explicit Pseudonyms(const Key& key) : key_(key) {}

    [[nodiscard]] model::IpAddress address(const model::IpAddress& ip);
    [[nodiscard]] model::Prefix network(const model::Prefix& network);
    [[nodiscard]] std::string process(std::string_view name) { return name_of("process", name); }
    [[nodiscard]] std::string host(std::string_view name) { return name_of("host", name); }
    [[nodiscard]] std::string region(std::string_view name) { return name_of("region", name); }
    [[nodiscard]] std::string interface(std::string_view name);
    [[nodiscard]] std::uint64_t digest(std::uint64_t of);
    // Part by part; what systemd and container runtimes name alike everywhere stays, and so do endings.
    [[nodiscard]] std::string path(std::string_view cgroup);
    // Label by label: names below one domain stay below one domain.
    [[nodiscard]] std::string domain(std::string_view name);

    // A sentence: each name that was met before, as a whole word, and each address.
    [[nodiscard]] std::string text(std::string_view sentence);

    // A name that is forgotten would stay in sentences: who redacts has to stop at these.
    static constexpr std::size_t most_names = 1'000'000;
    [[nodiscard]] bool has_too_many() const { return names_.size() + digests_.size() > most_names; }

private:
    [[nodiscard]] std::string name_of(const char* kind, std::string_view name);
    [[nodiscard]] bool bit_of(const model::IpAddress& ip, unsigned first_bit, unsigned bit) const;
    [[nodiscard]] std::string_view known_name_at(std::string_view sentence, std::size_t at) const;

    Key key_;
    std::unordered_map<model::IpAddress, model::IpAddress> addresses_;
    std::map<std::string, std::string, std::less<>> names_;  // of all kinds: a word means one thing
    std::map<std::string, std::size_t, std::less<>> counts_;
    std::map<std::uint64_t, std::uint64_t> digests_;
    std::set<std::size_t, std::greater<>> lengths_;  // of the names
};

}  // namespace netwatch::recorder
