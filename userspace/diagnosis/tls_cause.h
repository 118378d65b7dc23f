// SPDX-License-Identifier: Apache-2.0
// Why a TLS handshake failed: from its last word, and from the server's certificate where one was seen. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diagnosis/tls_handshakes.h"
#include "model/incident.h"

namespace netwatch::diagnosis {

// Most probable first. `utc_s`: when it failed, by this host's clock.
[[nodiscard]] std::vector<model::Candidate>
causes_of(const TlsFailure& failure, const std::optional<TlsCertificate>& certificate, std::int64_t utc_s);

// The client refuses the server's certificate: its store of authorities or its clock may be what is wrong.
[[nodiscard]] bool refuses_certificate(const TlsFailure& failure);

// "certificate_expired" for 45 (RFC 8446, section 6.2); "alert 200" for what has no name.
[[nodiscard]] std::string alert_name(std::uint8_t alert);
// "TLS 1.2"
[[nodiscard]] std::string version_name(std::uint16_t version);

}  // namespace netwatch::diagnosis
