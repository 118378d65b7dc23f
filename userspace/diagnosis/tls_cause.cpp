// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/tls_cause.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace netwatch::diagnosis {
namespace {

using model::Candidate;
using model::FailureType;
using Causes = std::vector<Candidate>;

constexpr double sure = 0.97;
constexpr std::uint16_t tls13 = 0x0304;

// RFC 8446, section 6, and RFC 5246, section 7.2.
enum Alert : std::uint8_t {
    handshake_failure = 40,
    bad_certificate = 42,
    unsupported_certificate = 43,
    certificate_revoked = 44,
    certificate_expired = 45,
    certificate_unknown = 46,
    unknown_ca = 48,
    protocol_version = 70,
    insufficient_security = 71,
    unrecognized_name = 112,
    bad_certificate_status = 113,
    certificate_required = 116,
    no_application_protocol = 120,
};

struct Name {
    std::uint8_t alert;
    std::string_view name;
};
constexpr std::array names = std::to_array<Name>({
    {0, "close_notify"},
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    {handshake_failure, "handshake_failure"},
    {bad_certificate, "bad_certificate"},
    {unsupported_certificate, "unsupported_certificate"},
    {certificate_revoked, "certificate_revoked"},
    {certificate_expired, "certificate_expired"},
    {certificate_unknown, "certificate_unknown"},
    {47, "illegal_parameter"},
    {unknown_ca, "unknown_ca"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {protocol_version, "protocol_version"},
    {insufficient_security, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {unrecognized_name, "unrecognized_name"},
    {bad_certificate_status, "bad_certificate_status_response"},
    {115, "unknown_psk_identity"},
    {certificate_required, "certificate_required"},
    {no_application_protocol, "no_application_protocol"},
});

Candidate cause(std::string_view name, double probability, std::string_view would_split = {}) {
    return {FailureType::tls_handshake_failure, std::string(name), probability,
            would_split.empty() ? std::nullopt : std::optional(std::string(would_split))};
}

constexpr std::string_view by_dates = "the dates of the certificate (openssl s_client shows it)";
constexpr std::string_view by_issuer = "whether the client's store has the certificate's issuer";
constexpr std::string_view by_names = "the names in the certificate against the name that is asked for";
constexpr std::string_view by_log = "the log of the end that sent the alert";

// What a certificate that was seen explains of its refusal.
std::optional<Candidate> fault_of(const TlsCertificate& certificate, std::int64_t utc_s) {
    if (certificate.not_after_s < utc_s) return cause("certificate_expired", 0.95);
    if (certificate.not_before_s > utc_s) return cause("certificate_not_yet_valid", 0.95);
    if (certificate.matches == false) return cause("name_mismatch", 0.93);
    if (certificate.self_signed) return cause("unknown_ca", 0.92);
    return std::nullopt;
}

// The client refuses the certificate and does not say why.
Causes of_refusal(const std::optional<TlsCertificate>& certificate, std::int64_t utc_s, bool hidden) {
    if (certificate) {
        if (const auto fault = fault_of(*certificate, utc_s)) return {*fault};
        // Its dates are good and its names fit.
        return {cause("unknown_ca", 0.65, by_issuer),
                cause(hidden ? "encrypted_alert" : "bad_certificate", 0.3, by_log)};
    }
    if (hidden) {
        return {cause("encrypted_alert", 0.4, by_log), cause("unknown_ca", 0.22, by_issuer),
                cause("certificate_expired", 0.22, by_dates), cause("name_mismatch", 0.1, by_names)};
    }
    return {cause("bad_certificate", 0.46, by_log), cause("name_mismatch", 0.2, by_names),
            cause("certificate_not_yet_valid", 0.2, by_dates), cause("unknown_ca", 0.1, by_issuer)};
}

Causes of_client_alert(const TlsFailure& failure, const std::optional<TlsCertificate>& certificate,
                       std::int64_t utc_s) {
    switch (failure.alert) {
        case certificate_expired: return {cause("certificate_expired", sure)};
        case unknown_ca: return {cause("unknown_ca", sure)};
        case bad_certificate:
        case certificate_unknown: return of_refusal(certificate, utc_s, false);
        case unsupported_certificate:
        case certificate_revoked:
        case bad_certificate_status: return {cause("bad_certificate", 0.95)};
        case protocol_version: return {cause("protocol_version", sure)};
        case handshake_failure:
        case insufficient_security: return {cause("no_shared_cipher", 0.9)};
        case no_application_protocol: return {cause("no_alpn", sure)};
        case unrecognized_name: return {cause("name_mismatch", 0.9)};
        default: return {cause("other_alert", 0.9)};
    }
}

Causes of_server_alert(const TlsFailure& failure) {
    const bool asked =
        (failure.flags & (NETWATCH_TLS_ASKED_CERTIFICATE | NETWATCH_TLS_EMPTY_CERTIFICATE)) != 0;
    switch (failure.alert) {
        case certificate_expired: return {cause("certificate_expired", 0.95)};
        case unknown_ca: return {cause("unknown_ca", 0.95)};
        case bad_certificate:
        case unsupported_certificate:
        case certificate_revoked:
        case certificate_unknown:
        case bad_certificate_status:
            if ((failure.flags & NETWATCH_TLS_EMPTY_CERTIFICATE) != 0)
                return {cause("client_certificate_required", 0.93)};
            return {cause("bad_certificate", 0.95)};
        case certificate_required: return {cause("client_certificate_required", sure)};
        case protocol_version: return {cause("protocol_version", sure)};
        case insufficient_security: return {cause("no_shared_cipher", 0.95)};
        case unrecognized_name: return {cause("unrecognized_name", sure)};
        case no_application_protocol: return {cause("no_alpn", sure)};
        case handshake_failure:
            if (asked) return {cause("client_certificate_required", 0.94)};
            if (!failure.server_spoke) return {cause("no_shared_cipher", 0.92)};
            return {cause("other_alert", 0.7, by_log), cause("client_certificate_required", 0.2, by_log)};
        default: return {cause("other_alert", 0.9)};
    }
}

Causes of_hidden_server_alert(const TlsFailure& failure) {
    if ((failure.flags & NETWATCH_TLS_EMPTY_CERTIFICATE) != 0)
        return {cause("client_certificate_required", 0.94)};
    if (!failure.client_done) return {cause("encrypted_alert", 0.95)};
    return {cause("encrypted_alert", 0.5, by_log),
            cause("client_certificate_required", 0.26, "whether the server asks for a certificate"),
            cause("bad_certificate", 0.18, "whether the client has a certificate of its own")};
}

Causes of_silence(const TlsFailure& failure) {
    if (failure.server_spoke) return {cause("silent", 0.92)};
    Causes causes{
        cause("silent", 0.62, "a handshake under another name, or a kept connection, that is answered")};
    causes.push_back({FailureType::slow_service, "waiting", 0.33, "the log and the load of the service"});
    return causes;
}

}  // namespace

bool refuses_certificate(const TlsFailure& failure) {
    if (!failure.by_client) return false;
    if (failure.end == TlsEnd::hidden_alert) return true;
    if (failure.end != TlsEnd::alert) return false;
    return failure.alert >= bad_certificate && failure.alert <= unknown_ca && failure.alert != 47;
}

std::vector<Candidate> causes_of(const TlsFailure& failure, const std::optional<TlsCertificate>& certificate,
                                 std::int64_t utc_s) {
    switch (failure.end) {
        case TlsEnd::alert:
            // A server that answers with an alert what was no ClientHello.
            if (!failure.by_client && failure.version == 0) return {cause("plaintext_on_tls", 0.95)};
            return failure.by_client ? of_client_alert(failure, certificate, utc_s)
                                     : of_server_alert(failure);
        case TlsEnd::hidden_alert:
            if (failure.refuses_name) return {cause("name_mismatch", 0.92)};
            return failure.by_client ? of_refusal(certificate, utc_s, true) : of_hidden_server_alert(failure);
        case TlsEnd::plaintext: return {cause("plaintext_on_tls", sure)};
        case TlsEnd::reset: return {cause("reset", 0.95)};
        case TlsEnd::closed: return {cause("closed", 0.95)};
        case TlsEnd::silent: return of_silence(failure);
    }
    return {};
}

std::string alert_name(std::uint8_t alert) {
    const auto known = std::ranges::find(names, alert, &Name::alert);
    return known == names.end() ? fmt::format("alert {}", alert) : std::string(known->name);
}

std::string version_name(std::uint16_t version) {
    switch (version) {
        case 0x0300: return "SSL 3.0";
        case 0x0301: return "TLS 1.0";
        case 0x0302: return "TLS 1.1";
        case 0x0303: return "TLS 1.2";
        case tls13: return "TLS 1.3";
        default: return "TLS";
    }
}

}  // namespace netwatch::diagnosis
