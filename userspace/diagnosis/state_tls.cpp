// SPDX-License-Identifier: Apache-2.0
// The records that tell of TLS handshakes, and what else of a connection bears on its handshake.
#include "diagnosis/ends.h"
#include "diagnosis/state.h"

namespace netwatch::diagnosis {

// Where this host has both ends of a connection, the client's tells.
bool Engine::State::told_by_its_client(std::uint64_t sock, bool passive) const {
    const Socket* socket = sockets_.find(sock);
    return passive && socket != nullptr && socket->other_end != 0;
}

void Engine::State::take(const netwatch_tls_event& record) {
    const bool passive = record.passive != 0;
    const DestinationKey key = key_of(record.tuple, record.header.netns, passive);
    if (told_by_its_client(record.sock, passive)) return;
    Destination* destination = touch(key, record.header.netns, record.header.at_ns);
    if (destination == nullptr) return;
    const std::string sni = model::text_of(record.sni);
    if (!sni.empty() && !passive) destination->add_names().note_sni(sni);
    Socket* socket = sockets_.find(record.sock);
    const ProcessKey process_key = socket == nullptr ? ProcessKey{} : socket->process;
    const Process* process = processes_.find(process_key);
    const std::string program = process == nullptr ? std::string() : process->comm;
    const bool swallowed = tls_.is_swallowed(record.sock);
    tls_.add(record, key, passive ? model::remote_ip(record.tuple).to_string() : program, process_key);
    // What was lost of it passes at last; the next look finds it.
    if (socket != nullptr && swallowed && !tls_.owns(record.sock)) socket->swallowed = true;
    if (!tls_.ailing().empty()) dirty_ = true;
}

void Engine::State::take(const netwatch_tls_certificate& record) {
    const bool passive = record.passive != 0;
    if (told_by_its_client(record.sock, passive)) return;
    tls_.add(record, key_of(record.tuple, record.header.netns, passive), anchor_.utc(record.header.at_ns));
}

void Engine::State::end_handshake(const netwatch_close& record, const Destination& destination) {
    if (!tls_.follows(record.sock)) return;
    const HopLimits limits = destination.detail ? destination.detail->hop_limits : HopLimits{};
    tls_.close(record, sender_of(record, limits, std::max(host_.hz, 1U)));
    dirty_ = true;
}

// What the walk knows of a connection whose ClientHello nobody answers.
void Engine::State::look_for_mute_servers() {
    tls_.look_for_silence(now_, [this](std::uint64_t sock) -> std::optional<bool> {
        const Socket* socket = sockets_.find(sock);
        if (socket == nullptr || !socket->looked_at) return std::nullopt;
        return socket->asked_at == 0 && socket->timer_retransmits == 0;
    });
}

}  // namespace netwatch::diagnosis
