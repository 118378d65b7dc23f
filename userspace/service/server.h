// SPDX-License-Identifier: Apache-2.0
// What the agent says, as HTTP over its Unix socket:
//
//     GET /v1/view                       the host's view
//     GET /v1/incidents[?all=1]          a JSON array of incidents
//     GET /v1/incidents/follow[?all=1]   one incident a line, each time one changes
//     GET /v1/ladder?target=ADDRESS[:PORT]
//     GET /v1/check                      kernel, hooks and accounts of the running agent
//
// Errors come as {"error": …, "hint": …} with a status of 400 or above.
#pragma once

#include <filesystem>
#include <memory>

#include "core/result.h"
#include "service/pipeline.h"

namespace netwatch::service {

class Server {
public:
    // Listens on `path` and answers on its own threads; the socket is gone with the server. `pipeline`
    // outlives it; its broadcast must be closed before this is destroyed. Errors: the path cannot be listened
    // on.
    [[nodiscard]] static core::Result<std::unique_ptr<Server>> listen(const std::filesystem::path& path,
                                                                      Pipeline& pipeline);
    virtual ~Server() = default;
};

}  // namespace netwatch::service
