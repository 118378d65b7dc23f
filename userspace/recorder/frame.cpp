// SPDX-License-Identifier: Apache-2.0
#include "recorder/frame.h"

#include <fmt/format.h>
#include <zstd.h>

namespace netwatch::recorder {
namespace {

// Level 1: at a thousand connections a second higher levels cost more of the core than they save of the disk.
constexpr int level = 1;

}  // namespace

void Packer::Free::operator()(void* context) const { ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(context)); }

Packer::Packer() : context_(ZSTD_createCCtx()) {}

core::Result<std::span<const std::byte>> Packer::pack(std::span<const std::byte> bytes) {
    if (bytes.size() > largest_frame_bytes)
        return core::fail(
            fmt::format("a batch of {} bytes, {} are allowed", bytes.size(), largest_frame_bytes));
    packed_.resize(ZSTD_compressBound(bytes.size()));
    const std::size_t length = ZSTD_compressCCtx(static_cast<ZSTD_CCtx*>(context_.get()), packed_.data(),
                                                 packed_.size(), bytes.data(), bytes.size(), level);
    if (ZSTD_isError(length) != 0) return core::fail(fmt::format("zstd: {}", ZSTD_getErrorName(length)));
    return std::span<const std::byte>(packed_).first(length);
}

core::Result<void> unpack(std::span<const std::byte> frame, std::vector<std::byte>& bytes) {
    const auto length = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (length == ZSTD_CONTENTSIZE_ERROR || length == ZSTD_CONTENTSIZE_UNKNOWN)
        return core::fail("not a zstd frame");
    if (length > largest_frame_bytes) return core::fail(fmt::format("a batch of {} bytes", length));
    bytes.resize(length);
    const std::size_t got = ZSTD_decompress(bytes.data(), bytes.size(), frame.data(), frame.size());
    if (ZSTD_isError(got) != 0) return core::fail(ZSTD_getErrorName(got));
    bytes.resize(got);
    return {};
}

}  // namespace netwatch::recorder
