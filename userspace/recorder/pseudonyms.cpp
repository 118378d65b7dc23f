// SPDX-License-Identifier: Apache-2.0
#include "recorder/pseudonyms.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace netwatch::recorder {
namespace {

constexpr std::size_t most_addresses = 1'000'000;  // whose pseudonyms are remembered
constexpr std::size_t longest_address = 64;        // as text, with a port
constexpr unsigned v4_begins = 96;                 // a mapped address
constexpr unsigned address_bits = 128;

// Networks with a meaning of their own: addresses stay inside, or outside.
const std::vector<model::Prefix>& special_networks() {
    static const std::vector<model::Prefix> networks = [] {
        std::vector<model::Prefix> made;
        for (const auto& [text, bits] :
             std::initializer_list<std::pair<const char*, std::uint8_t>>{{"0.0.0.0", 8},
                                                                         {"10.0.0.0", 8},
                                                                         {"100.64.0.0", 10},
                                                                         {"127.0.0.0", 8},
                                                                         {"169.254.0.0", 16},
                                                                         {"172.16.0.0", 12},
                                                                         {"192.168.0.0", 16},
                                                                         {"224.0.0.0", 4},
                                                                         {"240.0.0.0", 4},
                                                                         {"::", 64},
                                                                         {"64:ff9b::", 96},
                                                                         {"fc00::", 8},
                                                                         {"fd00::", 8},
                                                                         {"fe80::", 10},
                                                                         {"ff00::", 16}})
            made.push_back({*model::IpAddress::parse(text), bits});
        return made;
    }();
    return networks;
}

unsigned bits_of(const model::Prefix& network) {
    return network.network.is_v4() ? v4_begins + network.bits : network.bits;
}

bool bit_at(const model::IpAddress& ip, unsigned bit) {
    return (ip.bytes()[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

unsigned shared_bits(const model::IpAddress& a, const model::IpAddress& b, unsigned from) {
    unsigned bit = from;
    while (bit < address_bits && bit_at(a, bit) == bit_at(b, bit)) ++bit;
    return bit;
}

// How many of its first bits stay as they are.
unsigned kept_bits(const model::IpAddress& ip) {
    const unsigned begins = ip.is_v4() ? v4_begins : 0;
    unsigned kept = begins;
    for (const auto& special : special_networks()) {
        if (special.network.is_v4() != ip.is_v4()) continue;
        const unsigned shared = shared_bits(ip, special.network, begins);
        // Inside: the network's own bits. Outside: those up to where it parts from it, or it might end
        // inside.
        kept = std::max(kept, std::min(shared + 1, bits_of(special)));
    }
    return kept;
}

bool stays(const model::IpAddress& ip) {
    return ip.is_loopback() || ip.is_unspecified() || ip == model::IpAddress::parse("255.255.255.255");
}

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_address_part(char c) {
    return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

// "10.1.2.3", "10.1.2.3:443", "2001:db8::1": the address, and the text behind it.
std::optional<std::pair<model::IpAddress, std::string_view>> address_in(std::string_view token) {
    if (const auto ip = model::IpAddress::parse(token)) return std::pair(*ip, std::string_view());
    const auto colon = token.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto ip = model::IpAddress::parse(token.substr(0, colon));
    if (!ip || !ip->is_v4()) return std::nullopt;
    return std::pair(*ip, token.substr(colon));
}

std::string_view ending_of(std::string_view part) {
    for (const std::string_view ending : {".service", ".scope", ".slice", ".socket", ".mount"}) {
        if (part.ends_with(ending)) return ending;
    }
    return {};
}

bool is_common(std::string_view part) {
    for (const std::string_view name :
         {"", "…", "init.scope", "system.slice", "user.slice", "machine.slice", "kubepods.slice", "kubepods",
          "docker", "besteffort", "burstable", "kubepods-besteffort.slice", "kubepods-burstable.slice"}) {
        if (part == name) return true;
    }
    for (const std::string_view numbered : {"user@", "user-", "session-"}) {
        if (part.size() > numbered.size() && part.starts_with(numbered))
            return part[numbered.size()] >= '0' && part[numbered.size()] <= '9';
    }
    return false;
}

}  // namespace

core::Result<Pseudonyms> Pseudonyms::make() {
    Key key{};
    if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
        return core::fail("no random numbers to make pseudonyms with");
    return Pseudonyms(key);
}

// Whether the bit after the first `bit` bits is turned: a random function of those bits.
bool Pseudonyms::bit_of(const model::IpAddress& ip, unsigned first_bit, unsigned bit) const {
    std::array<unsigned char, 18> input{};
    input[0] = static_cast<unsigned char>(first_bit);
    input[1] = static_cast<unsigned char>(bit);
    for (unsigned i = 0; i < bit; ++i) {
        if (bit_at(ip, i)) input[2 + i / 8] |= static_cast<unsigned char>(0x80U >> (i % 8));
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), input.data(), input.size(), digest.data(),
         &length);
    return (digest[0] & 1U) != 0;
}

model::IpAddress Pseudonyms::address(const model::IpAddress& ip) {
    if (stays(ip)) return ip;
    if (const auto known = addresses_.find(ip); known != addresses_.end()) return known->second;
    const unsigned first_bit = ip.is_v4() ? v4_begins : 0;
    auto bytes = ip.bytes();
    for (unsigned bit = kept_bits(ip); bit < address_bits; ++bit) {
        if (bit_of(ip, first_bit, bit)) bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    }
    if (addresses_.size() >= most_addresses) addresses_.clear();  // they come out alike again
    return addresses_[ip] = model::IpAddress(bytes);
}

model::Prefix Pseudonyms::network(const model::Prefix& network) {
    return model::Prefix::of(address(network.network), network.bits);
}

std::string Pseudonyms::name_of(const char* kind, std::string_view name) {
    if (name.empty()) return {};
    const auto known = names_.find(name);
    if (known != names_.end()) return known->second;
    std::string made = fmt::format("{}-{}", kind, ++counts_[kind]);
    names_.emplace(name, made);
    lengths_.insert(name.size());
    return made;
}

std::string Pseudonyms::interface(std::string_view name) { return name == "lo" ? "lo" : name_of("if", name); }

std::uint64_t Pseudonyms::digest(std::uint64_t of) {
    return digests_.try_emplace(of, digests_.size() + 1).first->second;
}

std::string Pseudonyms::path(std::string_view cgroup) {
    std::string made;
    std::string_view rest = cgroup;
    for (;;) {
        const auto slash = rest.find('/');
        const auto part = rest.substr(0, slash);
        const auto ending = ending_of(part);
        if (is_common(part)) {
            made += part;
        } else {
            const std::string name = name_of("unit", part.substr(0, part.size() - ending.size()));
            made.append(name).append(ending);
        }
        if (slash == std::string_view::npos) break;
        made += '/';
        rest.remove_prefix(slash + 1);
    }
    return made;
}

std::string Pseudonyms::domain(std::string_view name) {
    std::string made;
    for (;;) {
        const auto dot = name.find('.');
        made += name_of("name", name.substr(0, dot));
        if (dot == std::string_view::npos) return made;
        made += '.';
        name.remove_prefix(dot + 1);
    }
}

// The longest name that begins there as a whole word; empty: none. Labels of reverse names are numbers and
// letters, which mean something else in a sentence; its addresses are replaced as such.
std::string_view Pseudonyms::known_name_at(std::string_view sentence, std::size_t at) const {
    for (const std::size_t length : lengths_) {
        if (at + length > sentence.size()) continue;
        if (at + length < sentence.size() && is_word(sentence[at + length])) continue;
        const auto word = sentence.substr(at, length);
        if (length == 1 || std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; })) continue;
        if (names_.contains(word)) return word;
    }
    return {};
}

std::string Pseudonyms::text(std::string_view sentence) {
    std::string made;
    for (std::size_t at = 0; at < sentence.size();) {
        if (at > 0 && is_word(sentence[at - 1])) {
            made += sentence[at++];
            continue;
        }
        std::size_t end = at;
        while (end < sentence.size() && end < at + longest_address && is_address_part(sentence[end])) ++end;
        while (end > at && (sentence[end - 1] == '.' ||
                            (sentence[end - 1] == ':' && end - at > 2 && sentence[end - 2] != ':')))
            --end;
        const auto found = address_in(sentence.substr(at, end - at));
        if (found && (end == sentence.size() || !is_word(sentence[end]))) {
            unsigned bits = 0;
            const char* const from = sentence.data() + end + 1;
            const bool has_bits =
                end + 1 < sentence.size() && sentence[end] == '/' && found->second.empty() &&
                std::from_chars(from, sentence.data() + sentence.size(), bits).ec == std::errc{} &&
                bits <= (found->first.is_v4() ? 32U : 128U);
            made += has_bits ? network({found->first, static_cast<std::uint8_t>(bits)}).network.to_string()
                             : address(found->first).to_string();
            made += found->second;
            at = end;
            continue;
        }
        const auto name = known_name_at(sentence, at);
        if (!name.empty()) {
            made += names_.find(name)->second;
            at += name.size();
            continue;
        }
        made += sentence[at++];
    }
    return made;
}

}  // namespace netwatch::recorder
