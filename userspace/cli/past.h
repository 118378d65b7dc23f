// SPDX-License-Identifier: Apache-2.0
// Minutes of a recording for the live view to step through, found on a thread of their own. Example:
//
//     past.ask(path, around, query);
//     while (!(history = past.take())) { … draw, take keys … }
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>

#include "core/result.h"
#include "core/time.h"
#include "model/view.h"
#include "present/table.h"
#include "service/worker.h"
#include "top/history.h"

namespace netwatch::cli {

// From ten minutes before to five after it, as far as something was recorded; a moment outside of the
// recording stands for its end or beginning. Errors: nothing that can be read.
[[nodiscard]] core::Result<top::History> recall(const std::filesystem::path& recording, core::UtcNs around,
                                                const present::RowQuery& query);

// The view of the last moment not after `at`, whole.
[[nodiscard]] core::Result<model::HostView> recalled_view(const std::filesystem::path& recording,
                                                          core::UtcNs at);

// One thread asks and takes.
class Past {
public:
    void ask(std::filesystem::path recording, core::UtcNs around, present::RowQuery query);
    [[nodiscard]] std::optional<core::Result<top::History>> take();

private:
    std::mutex mutex_;
    std::optional<core::Result<top::History>> found_; /* under mutex_ */
    service::Worker worker_;                          /* last: it ends first */
};

}  // namespace netwatch::cli
