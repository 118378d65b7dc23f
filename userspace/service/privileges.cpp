// SPDX-License-Identifier: Apache-2.0
#include "service/privileges.h"

#include <cap-ng.h>

#include <array>
#include <vector>

namespace netwatch::service {

core::Result<void> give_up_privileges() {
    constexpr std::array<unsigned, 7> needed{
        CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHOWN};
    if (capng_get_caps_process() != 0) return core::fail("cannot read this process's capabilities");
    std::vector<unsigned> kept;
    for (const unsigned capability : needed) {
        if (capng_have_capability(CAPNG_PERMITTED, capability) != 0) kept.push_back(capability);
    }
    capng_clear(CAPNG_SELECT_CAPS);
    for (const unsigned capability : kept) {
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
    }
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return core::fail("cannot give up capabilities that are not needed");
    return {};
}

}  // namespace netwatch::service
