// SPDX-License-Identifier: Apache-2.0
// What a person types for a destination. Passive: a name is looked up in what netwatch has seen and in
// /etc/hosts, never asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"
#include "model/address.h"
#include "model/view.h"

namespace netwatch::cli {

struct NamedTarget {
    std::string name;
    std::uint16_t port = 0; /* 0: all */
    model::Protocol protocol = model::Protocol::tcp;
};
using Target = std::variant<model::Endpoint, NamedTarget>;

// ADDRESS[:PORT], [IPV6]:PORT or NAME[:PORT], each with an optional /tcp or /udp. Errors (usage): what is
// wrong.
[[nodiscard]] core::Result<Target> parse_target(std::string_view text);

// The addresses of a name: of the destinations that carry it and, where it does not resolve, the resolver;
// else those in `hosts` (the text of /etc/hosts). Errors (usage): nobody knows the name.
[[nodiscard]] core::Result<std::vector<model::Endpoint>>
resolve(const NamedTarget& target, const model::HostView& view, std::string_view hosts);

}  // namespace netwatch::cli
