// SPDX-License-Identifier: Apache-2.0
// The sensor as the agent's capture.
#pragma once

#include <memory>

#include "core/result.h"
#include "service/agent.h"
#include "service/capture.h"

namespace netwatch::service {

// Whether this process may observe. Errors: exit code 4, with what is missing and the command that mends it.
[[nodiscard]] core::Result<void> check_privileges();

// Errors: as Sensor::open; in a build without the sensor always that there is none (exit code 4).
[[nodiscard]] core::Result<std::unique_ptr<Capture>> open_sensor(const CaptureOptions& options);

}  // namespace netwatch::service
