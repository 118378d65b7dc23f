// SPDX-License-Identifier: Apache-2.0
#include "cli/target.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace netwatch::cli {
namespace {

constexpr const char* forms = "give ADDRESS, ADDRESS:PORT, [IPV6]:PORT or NAME[:PORT]";
constexpr std::size_t longest_name = 253;  // RFC 1035, 2.3.4

core::Result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error == std::errc{} && end == text.data() + text.size() && port != 0) return port;
    return core::usage_error(fmt::format("the port \"{}\" is no number from 1 to 65535", text), forms);
}

bool is_name(std::string_view text) {
    const auto fits = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.';
    };
    return !text.empty() && text.size() <= longest_name && text.front() != '-' &&
           std::ranges::all_of(text, fits);
}

bool looks_like_ipv4(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

core::Result<Target> parse_bracketed(std::string_view text) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) {
        return core::usage_error(fmt::format("\"{}\" has no closing bracket", text), "write [IPV6]:PORT");
    }
    const auto host = text.substr(1, close - 1);
    if (!model::IpAddress::parse(host)) {
        return core::usage_error(fmt::format("\"{}\" is no IPv6 address", host), forms);
    }
    const auto rest = text.substr(close + 1);
    if (!rest.starts_with(':'))
        return core::usage_error(fmt::format("\"{}\" after the bracket is no port", rest), forms);
    const auto port = parse_port(rest.substr(1));
    return std::unexpected(
        port ? core::Error{fmt::format("\"{}\" is no destination", text), forms, core::ExitCode::usage}
             : port.error());
}

bool same_name(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

void add_from_hosts(const NamedTarget& target, std::string_view hosts, std::vector<model::Endpoint>& found) {
    std::istringstream lines{std::string(hosts)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string address;
        words >> address;
        const auto ip = model::IpAddress::parse(address);
        if (!ip) continue;
        for (std::string name; words >> name;) {
            if (same_name(name, target.name)) found.push_back({*ip, target.port, target.protocol});
        }
    }
}

}  // namespace

core::Result<Target> parse_target(std::string_view text) {
    if (const auto endpoint = model::Endpoint::parse(text)) return Target(*endpoint);
    if (text.empty()) return core::usage_error("no destination given", forms);
    if (text.starts_with('[')) return parse_bracketed(text);
    NamedTarget target;
    std::string_view rest = text;
    if (rest.ends_with("/tcp") || rest.ends_with("/udp")) {
        target.protocol = rest.ends_with("/udp") ? model::Protocol::udp : model::Protocol::tcp;
        rest.remove_suffix(4);
    }
    const auto colon = rest.find(':');
    if (colon != rest.rfind(':')) {
        return core::usage_error(fmt::format("\"{}\" is no IPv6 address", rest),
                                 "with a port it is [IPV6]:PORT");
    }
    const auto host = rest.substr(0, colon);
    if (colon != std::string_view::npos) {
        const auto port = parse_port(rest.substr(colon + 1));
        if (!port) return std::unexpected(port.error());
        target.port = *port;
    }
    if (looks_like_ipv4(host))
        return core::usage_error(fmt::format("\"{}\" is no IPv4 address", host), forms);
    if (!is_name(host))
        return core::usage_error(fmt::format("\"{}\" is neither an address nor a name", host), forms);
    target.name = host;
    return Target(target);
}

core::Result<std::vector<model::Endpoint>> resolve(const NamedTarget& target, const model::HostView& view,
                                                   std::string_view hosts) {
    std::vector<model::Endpoint> found;
    for (const auto& row : view.destinations) {
        if (!row.ref.name || !same_name(*row.ref.name, target.name)) continue;
        found.push_back({row.ref.endpoint.ip, target.port, target.protocol});
    }
    // A name that does not resolve has no destination: the resolver that says so stands for it.
    for (const auto& incident : view.incidents) {
        const bool named = model::is_alarm(incident) && incident.scope.kind == model::ScopeKind::name &&
                           std::ranges::any_of(incident.scope.members, [&](const std::string& member) {
                               return same_name(member, target.name);
                           });
        if (named && incident.destination) found.push_back(incident.destination->endpoint);
    }
    if (found.empty()) add_from_hosts(target, hosts, found);
    std::ranges::sort(found);
    const auto again = std::ranges::unique(found);
    found.erase(again.begin(), again.end());
    if (!found.empty()) return found;
    return core::usage_error(fmt::format("no destination is known by the name {}", target.name),
                             "give its address: netwatch asks no resolver");
}

}  // namespace netwatch::cli
