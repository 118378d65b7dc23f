// SPDX-License-Identifier: Apache-2.0
#include "recorder/redactor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "model/record.h"
#include "recorder/redact_fields.h"

namespace netwatch::recorder {
namespace {

// An incident has four levels.
constexpr int deepest_json = 16;

// Words of the taxonomy and ids, which no name may change. Everything else that is text is redacted.
constexpr std::array kept_members{"schema",
                                  "id",
                                  "state",
                                  "type",
                                  "cause",
                                  "severity",
                                  "kind",
                                  "perspective",
                                  "protocol",
                                  "owner_hint",
                                  "resolution",
                                  "signal",
                                  "step",
                                  "status",
                                  "effect",
                                  "baseline",
                                  "missing_hooks",
                                  "bearing",
                                  "first_affected_at",
                                  "opened_at",
                                  "detected_at",
                                  "resolved_at",
                                  "at",
                                  "incident"};

std::string pseudonym(Pseudonyms& pseudonyms, Treatment treatment, std::string_view name) {
    switch (treatment) {
        case Treatment::process: return pseudonyms.process(name);
        case Treatment::path: return pseudonyms.path(name);
        case Treatment::host: return pseudonyms.host(name);
        case Treatment::region: return pseudonyms.region(name);
        case Treatment::interface: return pseudonyms.interface(name);
        case Treatment::domain: return pseudonyms.domain(name);
        case Treatment::address:
        case Treatment::digest:
        case Treatment::kept: break;
    }
    return std::string(name);
}

void redact_field(Pseudonyms& pseudonyms, const RedactedField& field, std::span<std::byte> bytes) {
    if (field.treatment == Treatment::kept) return;
    if (field.treatment == Treatment::address) {
        std::array<std::uint8_t, 16> raw{};
        std::memcpy(raw.data(), bytes.data(), raw.size());
        const auto made = pseudonyms.address(model::IpAddress(raw));
        std::memcpy(bytes.data(), made.bytes().data(), raw.size());
        return;
    }
    if (field.treatment == Treatment::digest) {
        std::uint64_t digest = 0;
        std::memcpy(&digest, bytes.data(), sizeof(digest));
        digest = pseudonyms.digest(digest);
        std::memcpy(bytes.data(), &digest, sizeof(digest));
        return;
    }
    const auto* const text = reinterpret_cast<const char*>(bytes.data());
    const std::string_view name(text, ::strnlen(text, bytes.size()));
    const std::string made = pseudonym(pseudonyms, field.treatment, name);
    std::ranges::fill(bytes, std::byte{0});
    std::memcpy(bytes.data(), made.data(), std::min(made.size(), bytes.size() - 1));
}

// A network has no bits beyond its length, whatever the pseudonym of its first address has.
template <typename R>
void mask(std::span<std::byte> bytes, std::uint8_t (R::*network)[16], std::uint8_t R::* bits) {
    R record{};
    std::memcpy(&record, bytes.data(), sizeof(record));
    const model::IpAddress ip(std::span<const std::uint8_t, 16>(record.*network));
    const auto most = static_cast<std::uint8_t>(ip.is_v4() ? 32 : 128);
    const auto masked = model::Prefix::of(ip, std::min(record.*bits, most)).network;
    std::ranges::copy(masked.bytes(), record.*network);
    std::memcpy(bytes.data(), &record, sizeof(record));
}

void redact_json(Pseudonyms& pseudonyms, nlohmann::json& json, int depth = 0) {
    if (depth > deepest_json) {
        json = nullptr;
    } else if (json.is_string()) {
        json = pseudonyms.text(json.get<std::string>());
    } else if (json.is_array()) {
        for (auto& item : json) redact_json(pseudonyms, item, depth + 1);
    } else if (json.is_object()) {
        for (auto& [key, value] : json.items()) {
            const bool kept = value.is_string() && std::ranges::find(kept_members, key) != kept_members.end();
            if (!kept) redact_json(pseudonyms, value, depth + 1);
        }
    }
}

}  // namespace

void Redactor::redact(std::span<std::byte> record) {
    netwatch_header header{};
    if (record.size() < sizeof(header)) return;
    std::memcpy(&header, record.data(), sizeof(header));
    for (const auto& field : redacted_fields) {
        if (field.kind == header.kind && field.offset + field.size <= record.size())
            redact_field(pseudonyms_, field, record.subspan(field.offset, field.size));
    }
    if (header.kind == NETWATCH_RECORD_REGION && record.size() == sizeof(netwatch_region))
        mask(record, &netwatch_region::network, &netwatch_region::bits);
    if (header.kind == NETWATCH_RECORD_CHANGE && record.size() == sizeof(netwatch_change)) {
        netwatch_change change{};
        std::memcpy(&change, record.data(), sizeof(change));
        if (change.subject == NETWATCH_CHANGE_ROUTE || change.subject == NETWATCH_CHANGE_RULE)
            mask(record, &netwatch_change::ip, &netwatch_change::prefix_bits);
    }
}

void Redactor::redact_all(std::span<std::byte> records) {
    while (const std::size_t size = model::claimed_size(records)) {
        redact(records.first(size));
        records = records.subspan(size);
    }
}

core::Result<std::string> Redactor::incident(std::string_view json) {
    auto parsed = nlohmann::json::parse(json, nullptr, false);
    if (parsed.is_discarded()) return core::fail("an incident that is no JSON");
    redact_json(pseudonyms_, parsed);
    return parsed.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace netwatch::recorder
