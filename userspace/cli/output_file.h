// SPDX-License-Identifier: Apache-2.0
// Where a command writes what it was asked for: a file that is there when it is complete, replacing one of
// that name, or stdout. One thread. Errors: the file cannot be made or written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/fd.h"
#include "core/result.h"

namespace netwatch::cli {

class OutputFile {
public:
    // "-": stdout.
    [[nodiscard]] static core::Result<OutputFile> open(const std::string& path);
    OutputFile(OutputFile&&) noexcept = default;
    OutputFile& operator=(OutputFile&&) noexcept = default;
    // What was not committed is gone.
    ~OutputFile();

    [[nodiscard]] core::Result<void> write(std::string_view bytes);
    [[nodiscard]] core::Result<void> commit();

private:
    OutputFile() = default;

    std::filesystem::path path_;  // empty: stdout
    std::filesystem::path draft_;
    core::Fd fd_;
};

}  // namespace netwatch::cli
