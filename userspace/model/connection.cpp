// SPDX-License-Identifier: Apache-2.0
#include "model/connection.h"

namespace netwatch::model {

std::string_view to_string(ConnectionOutcome outcome) {
    switch (outcome) {
        case ConnectionOutcome::trying: return "trying";
        case ConnectionOutcome::open: return "open";
        case ConnectionOutcome::closed: return "closed";
        case ConnectionOutcome::reset: return "reset";
        case ConnectionOutcome::aborted: return "aborted";
        case ConnectionOutcome::timed_out: return "timed_out";
        case ConnectionOutcome::refused: return "refused";
        case ConnectionOutcome::unanswered: return "unanswered";
        case ConnectionOutcome::unreachable: return "unreachable";
        case ConnectionOutcome::abandoned: return "abandoned";
        case ConnectionOutcome::not_sent: break;
    }
    return "not_sent";
}

}  // namespace netwatch::model
