// SPDX-License-Identifier: Apache-2.0
// stdout for data. A reader that has gone (EPIPE) is success: the command ends quietly. One thread.
#pragma once

#include <string_view>

#include "core/result.h"
#include "model/incident.h"

namespace netwatch::cli {

// Writes all of it. Errors: stdout cannot be written to; where the reader has gone, an error without a
// message whose exit code is `fine`.
[[nodiscard]] core::Result<void> print(std::string_view text);

// 3 where one of them is an alarm.
template <typename Incidents>
[[nodiscard]] core::ExitCode exit_code_of(const Incidents& incidents) {
    for (const auto& incident : incidents) {
        if (model::is_alarm(incident)) return core::ExitCode::incident_open;
    }
    return core::ExitCode::fine;
}

}  // namespace netwatch::cli
