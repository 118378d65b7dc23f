// SPDX-License-Identifier: Apache-2.0
// What a redacted dump does to records, rows and incidents: names, addresses and command lines give way to
// pseudonyms. Records first: what they name is then known where a sentence says it. One thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "recorder/pseudonyms.h"

namespace netwatch::recorder {

class Redactor {
public:
    explicit Redactor(Pseudonyms pseudonyms) : pseudonyms_(std::move(pseudonyms)) {}

    // One whole record, in place. A kind without a field to redact stays as it is.
    void redact(std::span<std::byte> record);
    // One after the other.
    void redact_all(std::span<std::byte> records);
    // An incident. Errors: it is no JSON.
    [[nodiscard]] core::Result<std::string> incident(std::string_view json);
    [[nodiscard]] Pseudonyms& pseudonyms() { return pseudonyms_; }

private:
    Pseudonyms pseudonyms_;
};

}  // namespace netwatch::recorder
