// SPDX-License-Identifier: Apache-2.0
// Any bytes as the first ones of a connection, and what is read of them through the diagnosis. The seeds
// (tests/fuzz/tls_seeds makes them) are real handshakes.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "diagnosis/engine.h"
#include "model/record.h"
#include "support/tls_seed.h"

namespace {

namespace model = netwatch::model;
using netwatch::context::Bytes;
using netwatch::context::TlsReader;
using netwatch::support::TlsSeed;

// Each segment in its place, and once more a little before it: retransmissions and overlaps.
void play(std::span<const std::uint8_t> input, bool passive, const TlsReader::Sink& sink) {
    TlsReader reader;
    TlsSeed seed(std::as_bytes(input), passive);
    while (auto segment = seed.next()) {
        reader.take(*segment, sink);
        segment->offset -= segment->offset % 7;
        reader.take(*segment, sink);
    }
    if (reader.followed() > 1) std::abort();
    reader.forget(1);
    if (reader.followed() != 0) std::abort();
}

bool is_printable(const std::string& text) { return text.find_first_of("\x1b\r\n\t") == std::string::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    netwatch::diagnosis::Engine engine(
        {.destinations = 4, .full_destinations = 2, .sockets = 4, .incidents = 4});
    const auto sink = [&](Bytes bytes) {
        const auto record = model::decode(bytes);
        if (!record) std::abort();
        if (const auto* event = std::get_if<netwatch_tls_event>(&*record)) {
            if (!is_printable(model::text_of(event->sni)) || !is_printable(model::text_of(event->alpn)))
                std::abort();
        }
        engine.observe(*record);
    };
    play({data, size}, false, sink);
    play({data, size}, true, sink);
    return 0;
}
