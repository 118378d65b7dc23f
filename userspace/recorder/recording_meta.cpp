// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording_meta.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace netwatch::recorder {
namespace {

constexpr std::string_view limit_prefix = "limit_";

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::map<std::string, std::string> to_values(const RecordingMeta& meta) {
    auto values = meta.others;
    values["format"] = std::to_string(meta.format);
    values["abi_version"] = std::to_string(meta.abi_version);
    values["agent_version"] = meta.agent_version;
    values["hostname"] = meta.hostname;
    values["kernel"] = meta.kernel;
    values["boot_id"] = meta.boot_id;
    values["began_at"] = meta.began_at;
    for (const auto& [name, value] : meta.limits)
        values[std::string(limit_prefix) + name] = std::to_string(value);
    return values;
}

RecordingMeta meta_from(std::map<std::string, std::string> values) {
    const auto take = [&values](const char* key) {
        const auto node = values.extract(key);
        return node ? std::move(node.mapped()) : std::string();
    };
    RecordingMeta meta;
    meta.format = number<std::uint32_t>(take("format")).value_or(0);
    meta.abi_version = number<std::uint32_t>(take("abi_version")).value_or(0);
    meta.agent_version = take("agent_version");
    meta.hostname = take("hostname");
    meta.kernel = take("kernel");
    meta.boot_id = take("boot_id");
    meta.began_at = take("began_at");
    if (const auto format_1 = take("started_at"); meta.began_at.empty()) meta.began_at = format_1;
    for (auto& [key, value] : values) {
        const auto limit = key.starts_with(limit_prefix) ? number<std::uint64_t>(value) : std::nullopt;
        if (limit) {
            meta.limits[key.substr(limit_prefix.size())] = *limit;
        } else {
            meta.others.emplace(key, std::move(value));
        }
    }
    return meta;
}

}  // namespace netwatch::recorder
