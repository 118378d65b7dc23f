// SPDX-License-Identifier: Apache-2.0
// Where the live view gets what it shows: an agent's socket or an agent inside the same process. Example:
//
//     feed.ask(model.question());
//     while (!(answer = feed.take())) { … draw, take keys … }
//
// A feed of a recording alone has no newest view; what it has is in the past.
#pragma once

#include <cstddef>
#include <optional>

#include "core/result.h"
#include "model/incident.h"
#include "model/view.h"
#include "present/table.h"
#include "top/history.h"

namespace netwatch::top {

// What the screen needs: not all of 100,000 destinations, but what present::narrowed() leaves of them.
struct Question {
    // More than anybody scrolls through; what is further down is found by the filter.
    static constexpr std::size_t most_rows = 300;

    present::RowQuery query;
    std::optional<model::Endpoint> ladder_of;
    core::UtcNs series_after; /* points before that are known already; 0: none are */
};

struct Answer {
    Question question;
    model::HostView view;
    std::optional<core::Result<model::Ladder>> ladder; /* of ladder_of */
};

// Called by one thread, between two frames: nothing here waits for an agent but view().
class Feed {
public:
    virtual ~Feed() = default;
    // The whole view, waited for: what a text that ends is made from.
    [[nodiscard]] virtual core::Result<model::HostView> view() = 0;
    // A question that is still unanswered when the next one comes is forgotten.
    virtual void ask(Question question) = 0;
    // What has come since the last call: an answer, or why there is none.
    [[nodiscard]] virtual std::optional<core::Result<Answer>> take() = 0;

    // Some minutes that were recorded, around a moment; of its destinations those that the query leaves. The
    // moment may lie before the beginning or after the end: then the minutes nearest to it.
    virtual void ask_past(core::UtcNs around, present::RowQuery query) = 0;
    // What has come since the last call. Errors: nothing recorded, or nothing that can be read.
    [[nodiscard]] virtual std::optional<core::Result<History>> take_past() = 0;
};

}  // namespace netwatch::top
