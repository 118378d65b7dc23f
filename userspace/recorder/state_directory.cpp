// SPDX-License-Identifier: Apache-2.0
#include "recorder/state_directory.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <vector>

#include "recorder/database.h"

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

bool is_earlier_recording(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with("recording-") && name.ends_with(".db");
}

// "2026-11-22T19:42:25.118Z" as "20261122T194225Z"; empty if the recording cannot tell.
std::string began_at(Database& database) {
    auto select = database.prepare("SELECT value FROM meta WHERE key = 'started_at'");
    if (!select) return {};
    const auto row = select->step();
    if (!row || !*row) return {};
    std::string text = select->text(0).substr(0, 19);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text.size() == 15 ? text + "Z" : std::string();
}

std::string changed_at(const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return "unknown";
    return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(status.st_mtime));
}

// Folds what a killed agent left in the write-ahead log into the file, and says when it began.
std::string settle(const fs::path& path) {
    auto database = Database::open_for_writing(path);
    if (!database) return {};
    const std::string name = began_at(*database);
    (void)database->execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
    return name;
}

struct Recording {
    fs::path path;
    std::uint64_t bytes;
    fs::file_time_type changed;
};

std::vector<Recording> earlier_recordings(const fs::path& directory) {
    std::vector<Recording> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        if (!is_earlier_recording(entry.path())) continue;
        const auto bytes = entry.file_size(error);
        const auto changed = entry.last_write_time(error);
        if (!error) found.push_back({entry.path(), bytes, changed});
    }
    std::ranges::sort(found, {}, [](const Recording& recording) { return recording.path.filename(); });
    return found;
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

core::Result<void> StateDirectory::rotate() {
    std::error_code error;
    const fs::path current = recording_path();
    if (!fs::exists(current, error)) return {};
    std::string name = settle(current);
    if (name.empty()) name = changed_at(current);
    fs::path target = path_ / fmt::format("recording-{}.db", name);
    for (int n = 2; fs::exists(target, error); ++n)
        target = path_ / fmt::format("recording-{}-{}.db", name, n);
    fs::rename(current, target, error);
    if (error) return core::fail(fmt::format("cannot put {} aside: {}", current.string(), error.message()));
    for (const char* side : {"-wal", "-shm"}) {
        fs::rename(fs::path(current) += side, fs::path(target) += side, error);
    }
    return {};
}

void StateDirectory::prune(const Retention& retention, std::uint64_t current_bytes) {
    const auto recordings = earlier_recordings(path_);
    std::uint64_t total = current_bytes;
    for (const auto& recording : recordings) total += recording.bytes;
    const auto oldest = fs::file_time_type::clock::now() - retention.max_age;
    std::error_code error;
    for (const auto& recording : recordings) {
        if (total <= retention.max_bytes && recording.changed >= oldest) continue;
        if (!fs::remove(recording.path, error)) continue;
        for (const char* side : {"-wal", "-shm"}) fs::remove(fs::path(recording.path) += side, error);
        total -= recording.bytes;
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
