// SPDX-License-Identifier: Apache-2.0
// What a recording that begins in the middle of a run needs: the records that describe the host as it is.
// Example:
//
//     opening.add(bytes);                 // every record of the run, in order
//     auto records = opening.records();   // what the next segment begins with
//
// A description that a later one replaces is kept once. Bounded; what has no room is not described. Pure; one
// thread.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace netwatch::recorder {

class Opening {
public:
    // One whole record.
    void add(std::span<const std::byte> record);
    // One after the other, in the order in which they came.
    [[nodiscard]] std::vector<std::byte> records() const;

private:
    struct Description {
        std::string subject;
        std::vector<std::byte> record;
    };
    using Descriptions = std::list<Description>;
    void forget(const std::string& subject);

    Descriptions descriptions_;
    std::map<std::string, Descriptions::iterator> by_subject_;
    std::size_t bytes_ = 0;
};

}  // namespace netwatch::recorder
