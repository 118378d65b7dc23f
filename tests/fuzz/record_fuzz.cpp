// SPDX-License-Identifier: Apache-2.0
// Any bytes as records, through the decoder and the whole diagnosis. Of each record the input gives the kind
// and the content; its size is put right half of the time, so that the diagnosis sees more than refusals.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "diagnosis/engine.h"
#include "model/record.h"

namespace {

namespace model = netwatch::model;

constexpr std::array<std::uint16_t, NETWATCH_RECORD_KIND_COUNT> sizes = [] {
    std::array<std::uint16_t, NETWATCH_RECORD_KIND_COUNT> table{};
#define NETWATCH_KIND(number, upper, lower, maker, text) table[number] = sizeof(netwatch_##lower);
    NETWATCH_RECORD_KINDS(NETWATCH_KIND)
#undef NETWATCH_KIND
    return table;
}();

// The next record of the input: two bytes choose the kind and whether its size is right, the rest is its
// content.
std::vector<std::byte> next_record(std::span<const std::byte>& input) {
    const auto choice = static_cast<unsigned>(input[0]);
    const auto kind = static_cast<std::uint16_t>(choice % NETWATCH_RECORD_KIND_COUNT);
    const bool right_size = (static_cast<unsigned>(input[1]) & 1U) == 0;
    input = input.subspan(2);
    const std::size_t size = right_size ? sizes[kind] : std::min<std::size_t>(input.size(), 1024);
    std::vector<std::byte> record(std::max(size, sizeof(netwatch_header)));
    const std::size_t taken = std::min(record.size(), input.size());
    std::copy_n(input.begin(), taken, record.begin());
    input = input.subspan(taken);
    if (!right_size) return record;
    netwatch_header header{};
    std::memcpy(&header, record.data(), sizeof(header));
    header.kind = kind;
    header.size = static_cast<std::uint16_t>(record.size());
    std::memcpy(record.data(), &header, sizeof(header));
    return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto input = std::as_bytes(std::span(data, size));
    netwatch::diagnosis::Engine engine(
        {.destinations = 16, .full_destinations = 4, .sockets = 16, .incidents = 8});
    while (input.size() > 2) {
        const auto bytes = next_record(input);
        const auto record = model::decode(bytes);
        if (!record) continue;
        if (model::header_of(*record).size != bytes.size()) std::abort();
        engine.observe(*record);
        (void)engine.take_changes();
    }
    (void)engine.view();
    (void)engine.ladder({});
    return 0;
}
