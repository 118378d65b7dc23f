// SPDX-License-Identifier: Apache-2.0
#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "cli/output.h"

namespace netwatch::cli {

core::Result<OutputFile> OutputFile::open(const std::string& path) {
    OutputFile file;
    if (path == "-") return file;
    const std::string hint = "name another file with -o";
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return core::usage_error(path + " is a directory", hint);
    file.path_ = path;
    file.draft_ = path + ".new";
    file.fd_ = core::Fd(::open(file.draft_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!file.fd_) return core::path_error("cannot write " + path, core::last_errno(), hint);
    return file;
}

OutputFile::~OutputFile() {
    std::error_code ignored;
    if (fd_) std::filesystem::remove(draft_, ignored);
}

core::Result<void> OutputFile::write(std::string_view bytes) {
    if (path_.empty()) return print(bytes);
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return core::fail("cannot write " + path_.string() + ": " + core::last_errno().message());
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

core::Result<void> OutputFile::commit() {
    if (path_.empty()) return {};
    std::error_code error;
    std::filesystem::rename(draft_, path_, error);
    if (error) return core::fail("cannot write " + path_.string() + ": " + error.message());
    fd_ = core::Fd();
    return {};
}

}  // namespace netwatch::cli
