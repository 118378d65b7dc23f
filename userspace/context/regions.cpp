// SPDX-License-Identifier: Apache-2.0
#include "context/regions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <expected>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace netwatch::context {
namespace {

constexpr std::size_t most_networks = 65'536;
constexpr std::size_t name_bytes = 63;
constexpr std::string_view blanks = " \t\r";
constexpr unsigned v4_bits = 32;
constexpr unsigned v6_bits = 128;

// The words of a line before its comment.
std::vector<std::string_view> words_of(std::string_view line) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string_view> words;
    for (;;) {
        const auto begin = line.find_first_not_of(blanks);
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        const auto end = std::min(line.find_first_of(blanks), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

// Bytes of strangers are not shown as they are.
std::string shown(std::string_view text) {
    std::string result(text.substr(0, name_bytes));
    std::ranges::replace_if(result, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
    return result;
}

// What is wrong, in words, as the error.
std::expected<model::Prefix, std::string> network_of(std::string_view cidr) {
    const auto slash = cidr.find('/');
    if (slash == std::string_view::npos)
        return std::unexpected(fmt::format("\"{}\" has no prefix length", shown(cidr)));
    const auto ip = model::IpAddress::parse(cidr.substr(0, slash));
    if (!ip) return std::unexpected(fmt::format("\"{}\" is no address", shown(cidr.substr(0, slash))));
    const std::string_view length = cidr.substr(slash + 1);
    const unsigned most = ip->is_v4() ? v4_bits : v6_bits;
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (length.empty() || error != std::errc{} || end != length.data() + length.size() || bits > most)
        return std::unexpected(fmt::format("\"{}\" is no prefix length from 0 to {}", shown(length), most));
    const auto network = model::Prefix::of(*ip, static_cast<std::uint8_t>(bits));
    if (network.network != *ip) {
        return std::unexpected(
            fmt::format("\"{}\" has bits behind its prefix: it is {}", shown(cidr), network.to_string()));
    }
    return network;
}

std::expected<model::Region, std::string> region_of(const std::vector<std::string_view>& words) {
    auto network = network_of(words.front());
    if (!network) return std::unexpected(network.error());
    if (words.size() == 1) return std::unexpected(fmt::format("{} has no name", network->to_string()));
    if (words.size() > 2) return std::unexpected(fmt::format("\"{}\" is one word too many", shown(words[2])));
    const std::string_view name = words[1];
    if (name.size() > name_bytes)
        return std::unexpected(fmt::format("the name has {} bytes; {} may be", name.size(), name_bytes));
    const bool printable = std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (!printable) return std::unexpected("the name has control characters");
    return model::Region{*network, std::string(name)};
}

}  // namespace

core::Result<std::vector<model::Region>> parse_regions(std::string_view text, std::string_view where) {
    constexpr const char* hint = "write a network and its region on each line, as in \"10.88.0.0/16 europe\"";
    std::vector<model::Region> regions;
    std::map<model::Prefix, std::string> known;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (words.empty()) continue;
        auto region = region_of(words);
        if (!region) return core::usage_error(fmt::format("{}:{}: {}", where, number, region.error()), hint);
        const auto [before, fresh] = known.try_emplace(region->network, region->name);
        if (!fresh && before->second != region->name) {
            return core::usage_error(fmt::format("{}:{}: {} was in region {} before", where, number,
                                                 region->network.to_string(), shown(before->second)),
                                     "leave each network in one region");
        }
        if (!fresh) continue;
        if (regions.size() == most_networks) {
            return core::usage_error(
                fmt::format("{}:{}: more than {} networks", where, number, most_networks),
                "name larger networks");
        }
        regions.push_back(std::move(*region));
    }
    return regions;
}

core::Result<std::vector<model::Region>> read_regions(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const auto why = core::last_errno();
    if (!file) {
        return core::path_error(fmt::format("cannot read the regions in {}", path.string()), why,
                                "name a readable file with --regions");
    }
    const std::string text(std::istreambuf_iterator<char>(file), {});
    if (file.bad() || std::filesystem::is_directory(path)) {
        return core::path_error(fmt::format("cannot read the regions in {}", path.string()),
                                std::make_error_code(std::errc::io_error), "name a file with --regions");
    }
    return parse_regions(text, path.string());
}

}  // namespace netwatch::context
