// SPDX-License-Identifier: Apache-2.0
#include "recorder/state_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "recorder/database.h"
#include "recorder/segments.h"

namespace netwatch::recorder {
namespace fs = std::filesystem;
namespace {

constexpr const char* another = "give another one with --state-dir";

std::string errno_text() { return std::strerror(errno); }

std::string read_small(int fd) {
    std::array<char, 64> text{};
    const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
    std::string_view view(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return std::string(view.substr(0, view.find('\n')));
}

core::Result<core::Fd> take_lock(const fs::path& directory) {
    const fs::path path = directory / "lock";
    core::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    if (!fd && errno == EROFS) return fd;
    if (!fd) return core::path_error("cannot open " + path.string(), core::last_errno(), another);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return core::usage_error(fmt::format("another agent (pid {}) holds the state directory {}",
                                             read_small(fd.get()), directory.string()),
                                 "stop it, or give this one its own with --state-dir");
    }
    const std::string pid = fmt::format("{}\n", ::getpid());
    // The pid is for people; a full disk must not keep the agent from starting.
    if (::ftruncate(fd.get(), 0) == 0) (void)!::pwrite(fd.get(), pid.data(), pid.size(), 0);
    return fd;
}

}  // namespace

core::Result<StateDirectory> StateDirectory::hold(const fs::path& path) {
    std::error_code error;
    const bool made = fs::create_directories(path, error);
    std::error_code ignored;
    if (error && !fs::is_directory(path, ignored)) {
        return core::path_error("cannot make the state directory " + path.string(), error, another);
    }
    if (made) ::chmod(path.c_str(), 0750);
    auto lock = take_lock(path);
    if (!lock) return std::unexpected(lock.error());
    return StateDirectory(path, std::move(*lock));
}

void StateDirectory::settle() const {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(path_, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("segment-") && name.ends_with(".new")) fs::remove(entry.path(), error);
    }
    for (const auto& segment : segments_in(path_)) {
        if (!fs::exists(fs::path(segment.path) += "-wal", error)) continue;
        auto database = Database::open_for_writing(segment.path);
        if (database) (void)database->execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
    }
}

void StateDirectory::prune(const Retention& retention) const {
    const auto segments = segments_in(path_);
    std::uint64_t total = 0;
    for (const auto& segment : segments) total += segment.bytes;
    const auto oldest = fs::file_time_type::clock::now() - retention.max_age;
    for (const auto& segment : segments) {
        if (&segment == &segments.back()) return;
        if (total <= retention.max_bytes && segment.changed >= oldest) continue;
        if (remove_recording(segment.path)) total -= segment.bytes;
    }
}

core::Result<void> write_atomically(const fs::path& path, std::string_view text) {
    const fs::path draft = fs::path(path) += ".new";
    core::Fd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!fd) return core::fail(fmt::format("cannot write {}: {}", draft.string(), errno_text()));
    while (!text.empty()) {
        const ssize_t written = ::write(fd.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return core::fail(fmt::format("cannot write {}: {}", draft.string(), errno_text()));
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::rename(draft.c_str(), path.c_str()) != 0) {
        return core::fail(fmt::format("cannot replace {}: {}", path.string(), errno_text()));
    }
    return {};
}

}  // namespace netwatch::recorder
