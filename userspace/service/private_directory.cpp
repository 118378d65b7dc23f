// SPDX-License-Identifier: Apache-2.0
#include "service/private_directory.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace netwatch::service {

core::Result<PrivateDirectory> PrivateDirectory::make() {
    std::error_code error;
    const auto parent = std::filesystem::temp_directory_path(error);
    if (error) return core::fail("no directory for temporary files: " + error.message(), "set TMPDIR");
    std::string path = (parent / "netwatch-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
        return core::fail(fmt::format("cannot make {}: {}", path, std::strerror(errno)), "set TMPDIR");
    }
    return PrivateDirectory(path);
}

PrivateDirectory::~PrivateDirectory() {
    std::error_code ignored;  // what cannot be removed is left to the system's own cleaning
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace netwatch::service
