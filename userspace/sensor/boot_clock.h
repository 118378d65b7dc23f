// SPDX-License-Identifier: Apache-2.0
// CLOCK_BOOTTIME, the clock of the records.
#pragma once

#include <ctime>

#include "core/time.h"

namespace netwatch::sensor {

[[nodiscard]] inline core::BootNs boot_now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<core::BootNs>(now.tv_sec) * core::ns_per_s + static_cast<core::BootNs>(now.tv_nsec);
}

}  // namespace netwatch::sensor
