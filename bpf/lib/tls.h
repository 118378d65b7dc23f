/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a TLS handshake ends, by the headers of records alone (RFC 8446 5.1: type, version, length). From
 * there on nothing of the connection is handed on: what comes is the application's, encrypted.
 */
#pragma once

#include "look.h"
#include "maps.h"

enum {
    TLS_CHANGE_CIPHER = 20,
    TLS_ALERT = 21,
    TLS_HANDSHAKE = 22,
    TLS_DATA = 23,
    TLS_MAJOR_VERSION = 3,
    TLS_FRAME_BYTES = 5,
    TLS_ALERT_LENGTH = 2 + 1 + 16,             /* of TLS 1.3: encrypted, with its type and a tag */
    TLS_EMPTY_CERTIFICATE_LENGTH = 8 + 1 + 16, /* that of a client which has none */
    MOST_FINISHED_LENGTH = 99, /* encrypted, up to TLS 1.2; a second hello of TLS 1.3 is longer */
    MOST_FRAMES = 8,           /* of a segment */
};

/* What has become of the records of one direction; the value of `ciphered`. */
enum {
    CIPHERS_TLS = 1,       /* it began as TLS does: its records are followed */
    CIPHERS_CHANGED = 2,   /* ChangeCipherSpec */
    CIPHERS_FINISHED = 4,  /* up to TLS 1.2: Finished behind it */
    CIPHERS_DATA = 8,      /* of a client of TLS 1.3, whose Finished is of the type data too: at least one */
    CIPHERS_MORE = 16,     /* at least two */
    CIPHERS_ANSWERED = 32, /* by the server, after the client's first */
};

/* True: with this record of its server the handshake is over. */
static __always_inline bool ends_with_server(struct stream_state *server, __u8 client_ciphered) {
    if (server->ciphered & CIPHERS_FINISHED) return true;
    if (client_ciphered & CIPHERS_DATA) server->ciphered |= CIPHERS_ANSWERED;
    return client_ciphered & CIPHERS_MORE;
}

/* The same of its client. Early data goes before the server's first word. */
static __always_inline bool ends_with_client(struct stream_state *client, const struct stream_state *server,
                                             __u32 length) {
    if (client->ciphered & server->ciphered & CIPHERS_FINISHED) return true;
    if (!server->next_record || length == TLS_ALERT_LENGTH) return false;
    if (!(client->ciphered & CIPHERS_DATA)) {
        if (length != TLS_EMPTY_CERTIFICATE_LENGTH) client->ciphered |= CIPHERS_DATA;
        return false;
    }
    client->ciphered |= CIPHERS_MORE;
    return server->ciphered & CIPHERS_ANSWERED;
}

static __always_inline bool ends_with(struct stream_state *stream, struct stream_state *other,
                                      bool from_client, __u8 type, __u32 length) {
    if (type == TLS_CHANGE_CIPHER) {
        stream->ciphered |= CIPHERS_CHANGED;
    } else if (type == TLS_HANDSHAKE) {
        if (stream->ciphered & CIPHERS_CHANGED && length <= MOST_FINISHED_LENGTH)
            stream->ciphered |= CIPHERS_FINISHED;
    } else if (type == TLS_DATA) {
        return from_client ? ends_with_client(stream, other, length)
                           : ends_with_server(stream, other->ciphered);
    }
    return false;
}

/*
 * Follows the records through a segment whose data begins at `begin` in the stream. Where the handshake is
 * over both ways, the place behind the header that says so; else 0. What comes out of its order, and a header
 * in two segments, lose the track: then the room alone ends the reading.
 */
static __always_inline __u32 follow_records(struct __sk_buff *skb, const struct look *look, __u32 begin,
                                            struct stream_state *stream, struct stream_state *other,
                                            bool from_client) {
    __u32 at = stream->next_record;

    for (int i = 0; i < MOST_FRAMES && at >= begin; i++) {
        __u32 before = at - begin, length;
        __u8 frame[TLS_FRAME_BYTES];

        if (before + TLS_FRAME_BYTES > look->payload_bytes) break;
        if (bpf_skb_load_bytes(skb, look->payload_at + before, frame, sizeof(frame))) break;
        if (frame[1] != TLS_MAJOR_VERSION) break;
        length = (__u32)frame[3] << 8 | frame[4];
        if (ends_with(stream, other, from_client, frame[0], length)) return at + TLS_FRAME_BYTES;
        at += TLS_FRAME_BYTES + length;
        stream->next_record = at;
    }
    return 0;
}
