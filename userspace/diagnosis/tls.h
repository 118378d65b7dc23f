// SPDX-License-Identifier: Apache-2.0
// TLS handshakes that fail: at one server, under one name (SNI), at one server for all names; and trust that
// fails, the same refusal at many servers or by one program alone. Pure.
#pragma once

#include <vector>

#include "diagnosis/finding.h"
#include "diagnosis/scene.h"

namespace netwatch::diagnosis {

[[nodiscard]] std::vector<Finding> judge_tls(const Scene& scene);

// Certificates that clients still take and that will soon have run out: nobody is hurt yet.
[[nodiscard]] std::vector<Finding> judge_certificates(const Scene& scene);
// The server shows another certificate by now.
[[nodiscard]] bool certificate_renewed(const Scene& scene, const DestinationKey& server);

}  // namespace netwatch::diagnosis
