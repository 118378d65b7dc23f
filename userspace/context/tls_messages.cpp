// SPDX-License-Identifier: Apache-2.0
#include "context/tls_messages.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace netwatch::context {
namespace {

constexpr std::size_t header_bytes = 4;
constexpr std::size_t random_bytes = 32;
constexpr std::size_t most_text = 4'096;  // of names joined; whoever keeps them cuts
constexpr std::uint16_t grease_mask = 0x0f0f;
constexpr std::uint16_t grease = 0x0a0a;  // values that mean nothing (RFC 8701)

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

const unsigned char* raw(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

std::string printable(Bytes bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        const auto c = std::to_integer<unsigned char>(byte);
        if (c > ' ' && c < 0x7f && c != '\\' && c != ',')
            text += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        else
            text += fmt::format("\\x{:02x}", c);
    }
    return text;
}

void append(std::string& list, std::string_view item) {
    if (list.size() + item.size() >= most_text) return;
    if (!list.empty()) list += ',';
    list += item;
}

// RFC 6066, section 3: a list, of which one entry is a host name.
std::string sni_of(Bytes extension) {
    ByteReader reader(extension);
    ByteReader names(reader.vector(2).value_or(Bytes{}));
    const bool host_name = names.number(1) == TLSEXT_NAMETYPE_host_name;
    const auto name = host_name ? names.vector(2) : std::nullopt;
    return name ? printable(*name) : std::string();
}

// RFC 7301, section 3.1.
std::string protocols_of(Bytes extension) {
    ByteReader reader(extension);
    ByteReader protocols(reader.vector(2).value_or(Bytes{}));
    std::string list;
    while (const auto protocol = protocols.vector(1)) append(list, printable(*protocol));
    return list;
}

// RFC 8446, section 4.2.1.
std::uint16_t highest_of(Bytes extension) {
    ByteReader reader(extension);
    ByteReader versions(reader.vector(1).value_or(Bytes{}));
    std::uint32_t highest = 0;
    while (const auto version = versions.number(2)) {
        if ((*version & grease_mask) != grease) highest = std::max(highest, *version);
    }
    return static_cast<std::uint16_t>(highest);
}

Bytes extension_of(SSL* connection, unsigned int type) {
    const unsigned char* data = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(connection, type, &data, &size) != 1) return {};
    return std::as_bytes(std::span(data, size));
}

std::string text_of_name(const X509_NAME* name) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(std::clamp<long>(size, 0, most_text))};
}

Bytes bytes_of_string(const ASN1_STRING* string) {
    return std::as_bytes(
        std::span(ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))));
}

std::string names_of(const X509* certificate) {
    const NamesPtr names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string list;
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) append(list, printable(bytes_of_string(name->d.dNSName)));
    }
    return list;
}

std::optional<std::int64_t> seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    return ::timegm(&parts);
}

}  // namespace

void ClientHelloReader::FreeContext::operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
void ClientHelloReader::FreeConnection::operator()(SSL* connection) const { SSL_free(connection); }

ClientHelloReader::ClientHelloReader() : context_(SSL_CTX_new(TLS_server_method())) {
    if (!context_) return;
    SSL_CTX_set_client_hello_cb(context_.get(), on_hello, this);
    connection_.reset(SSL_new(context_.get()));
}

ClientHelloReader::~ClientHelloReader() = default;

// Nothing of the handshake but its first message is wanted: the callback ends it.
int ClientHelloReader::on_hello(SSL* connection, int* /*alert*/, void* reader) {
    ClientHello hello{
        .sni = sni_of(extension_of(connection, TLSEXT_TYPE_server_name)),
        .alpn = protocols_of(extension_of(connection, TLSEXT_TYPE_application_layer_protocol_negotiation)),
        .version = highest_of(extension_of(connection, TLSEXT_TYPE_supported_versions))};
    if (hello.version == 0)
        hello.version = static_cast<std::uint16_t>(SSL_client_hello_get0_legacy_version(connection));
    static_cast<ClientHelloReader*>(reader)->hello_ = std::move(hello);
    return SSL_CLIENT_HELLO_ERROR;
}

std::optional<ClientHello> ClientHelloReader::read(Bytes message) {
    constexpr std::size_t most_in_record = SSL3_RT_MAX_PLAIN_LENGTH;
    if (!connection_ || message.size() > most_in_record) return std::nullopt;
    hello_.reset();
    SSL_clear(connection_.get());
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_null());
    SSL_set_bio(connection_.get(), in, out);
    const auto size = static_cast<int>(message.size());
    const std::array<unsigned char, 5> record{SSL3_RT_HANDSHAKE, 3, 1, static_cast<unsigned char>(size >> 8),
                                              static_cast<unsigned char>(size)};
    BIO_write(in, record.data(), record.size());
    BIO_write(in, message.data(), size);
    SSL_accept(connection_.get());
    SSL_set_bio(connection_.get(), nullptr, nullptr);
    ERR_clear_error();
    return std::exchange(hello_, std::nullopt);
}

std::optional<ServerHello> read_server_hello(Bytes message) {
    constexpr std::array<unsigned char, random_bytes> retry_random{
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
        0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    ByteReader reader(message);
    if (!reader.take(header_bytes)) return std::nullopt;
    const auto version = reader.number(2);
    const auto random = reader.take(random_bytes);
    const auto session = reader.vector(1);
    const auto cipher = reader.number(2);
    const auto compression = reader.number(1);
    if (!version || !random || !session || !cipher || !compression) return std::nullopt;
    ServerHello hello{.version = static_cast<std::uint16_t>(*version),
                      .cipher = static_cast<std::uint16_t>(*cipher),
                      .retry = std::ranges::equal(*random, std::as_bytes(std::span(retry_random)))};
    ByteReader extensions(reader.vector(2).value_or(Bytes{}));
    while (const auto type = extensions.number(2)) {
        const auto body = extensions.vector(2);
        if (!body) return std::nullopt;
        if (*type != TLSEXT_TYPE_supported_versions) continue;
        hello.version = static_cast<std::uint16_t>(ByteReader(*body).number(2).value_or(0));
    }
    return hello;
}

std::optional<Bytes> first_certificate(Bytes message) {
    ByteReader reader(message);
    if (!reader.take(header_bytes)) return std::nullopt;
    const auto listed = reader.number(3);
    if (!listed) return std::nullopt;
    if (*listed == 0) return Bytes{};
    return reader.vector(3);
}

std::optional<Certificate> read_certificate(Bytes der, std::string_view name) {
    const unsigned char* at = raw(der);
    const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    if (!certificate) return std::nullopt;
    const auto not_before = seconds_of(X509_get0_notBefore(certificate.get()));
    const auto not_after = seconds_of(X509_get0_notAfter(certificate.get()));
    if (!not_before || !not_after) return std::nullopt;
    Certificate result{.not_before_s = *not_before,
                       .not_after_s = *not_after,
                       .self_signed = X509_check_issued(certificate.get(), certificate.get()) == X509_V_OK,
                       .matches = std::nullopt,
                       .subject = text_of_name(X509_get_subject_name(certificate.get())),
                       .issuer = text_of_name(X509_get_issuer_name(certificate.get())),
                       .names = names_of(certificate.get())};
    if (!name.empty())
        result.matches = X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr) == 1;
    ERR_clear_error();
    return result;
}

Fingerprint fingerprint_of(Bytes der) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(raw(der), der.size(), digest.data());
    Fingerprint fingerprint{};
    std::ranges::copy_n(digest.begin(), fingerprint.size(), fingerprint.begin());
    return fingerprint;
}

}  // namespace netwatch::context
