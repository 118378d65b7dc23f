// SPDX-License-Identifier: Apache-2.0
#include "recorder/schema.h"

#include <array>

namespace netwatch::recorder {
namespace {

// RFC 3339 in UTC with milliseconds.
#define NETWATCH_TIME(ns)                                                                     \
    "strftime('%Y-%m-%dT%H:%M:%S', " ns " / 1000000000, 'unixepoch') || printf('.%03dZ', " ns \
    " / 1000000 % 1000)"

// "10.1.2.3:443", "[2001:db8::1]:443".
#define NETWATCH_ENDPOINT(ip, port) \
    "CASE WHEN instr(" ip ", ':') THEN '[' || " ip " || ']' ELSE " ip " END || ':' || " port

constexpr std::array<SchemaItem, 3> format_1{{
    {"batches",
     "CREATE TABLE batches(id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, records BLOB NOT NULL)"},
    {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"},
    {"resumed", "CREATE TABLE resumed(incident TEXT NOT NULL)"},
}};

constexpr std::array<SchemaItem, 19> format_2{{
    {"meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"},
    {"hooks", "CREATE TABLE hooks(signal TEXT PRIMARY KEY, hook TEXT NOT NULL, state TEXT NOT NULL,"
              " lost TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID"},
    {"accounts",
     "CREATE TABLE accounts(utc_ns INTEGER NOT NULL, kind TEXT NOT NULL, seen INTEGER NOT NULL,"
     " filtered INTEGER NOT NULL, emitted INTEGER NOT NULL, dropped_full INTEGER NOT NULL,"
     " dropped_map INTEGER NOT NULL, missed INTEGER NOT NULL, PRIMARY KEY(utc_ns, kind)) WITHOUT ROWID"},
    {"gaps",
     "CREATE TABLE gaps(from_utc_ns INTEGER NOT NULL, to_utc_ns INTEGER NOT NULL, reason TEXT NOT NULL)"},
    {"segments", "CREATE TABLE segments(id INTEGER PRIMARY KEY, run TEXT NOT NULL, sequence INTEGER NOT NULL,"
                 " began_utc_ns INTEGER NOT NULL, continues INTEGER NOT NULL, opening BLOB NOT NULL)"},
    {"resumed", "CREATE TABLE resumed(segment INTEGER NOT NULL, incident TEXT NOT NULL)"},
    {"batches",
     "CREATE TABLE batches(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, at_ns INTEGER NOT NULL,"
     " utc_ns INTEGER NOT NULL, records BLOB NOT NULL)"},
    {"incident",
     "CREATE TABLE incident(id TEXT PRIMARY KEY, utc_ns INTEGER NOT NULL, state TEXT NOT NULL,"
     " type TEXT NOT NULL, cause TEXT, severity TEXT NOT NULL, confidence REAL NOT NULL, scope TEXT NOT NULL,"
     " scope_value TEXT, destination TEXT, name TEXT, perspective TEXT NOT NULL,"
     " first_affected_ns INTEGER NOT NULL, opened_ns INTEGER NOT NULL, detected_ns INTEGER NOT NULL,"
     " resolved_ns INTEGER, resolution TEXT, attempts INTEGER NOT NULL, failed INTEGER NOT NULL,"
     " flows INTEGER NOT NULL, symptom INTEGER NOT NULL, root TEXT, summary TEXT NOT NULL,"
     " root_cause TEXT NOT NULL, json TEXT NOT NULL) WITHOUT ROWID"},
    {"incident_log",
     "CREATE TABLE incident_log(utc_ns INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL,"
     " type TEXT NOT NULL, cause TEXT, severity TEXT NOT NULL, confidence REAL NOT NULL,"
     " attempts INTEGER NOT NULL, failed INTEGER NOT NULL)"},
    {"destination",
     "CREATE TABLE destination(id INTEGER PRIMARY KEY, ip TEXT NOT NULL, port INTEGER NOT NULL,"
     " protocol TEXT NOT NULL, perspective TEXT NOT NULL, netns INTEGER NOT NULL, name TEXT, region TEXT)"},
    {"second",
     "CREATE TABLE second(utc_ns INTEGER NOT NULL, destination INTEGER NOT NULL, attempts INTEGER NOT NULL,"
     " established INTEGER NOT NULL, failed INTEGER NOT NULL, rtt_us REAL, segments INTEGER NOT NULL,"
     " lost INTEGER NOT NULL, segments_in INTEGER NOT NULL, lost_in INTEGER NOT NULL,"
     " bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL,"
     " PRIMARY KEY(utc_ns, destination)) WITHOUT ROWID"},
    {"change", "CREATE TABLE change(id INTEGER PRIMARY KEY, utc_ns INTEGER NOT NULL, topic TEXT NOT NULL,"
               " netns INTEGER NOT NULL, what TEXT NOT NULL, by TEXT)"},
    {"address", "CREATE TABLE address(id INTEGER PRIMARY KEY, ip TEXT NOT NULL)"},
    {"process",
     "CREATE TABLE process(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, start_ns INTEGER NOT NULL,"
     " comm TEXT NOT NULL, cgroup TEXT)"},
    {"connection",
     "CREATE TABLE connection(id INTEGER PRIMARY KEY, netns INTEGER NOT NULL, direction TEXT,"
     " local INTEGER NOT NULL, local_port INTEGER NOT NULL, remote INTEGER NOT NULL,"
     " remote_port INTEGER NOT NULL, protocol TEXT NOT NULL, process INTEGER, began_ns INTEGER,"
     " ended_ns INTEGER, outcome TEXT NOT NULL, error INTEGER, icmp_type INTEGER, icmp_code INTEGER,"
     " offender INTEGER, syn_retransmits INTEGER, handshake_us INTEGER, rtt_us INTEGER,"
     " bytes_sent INTEGER, bytes_acked INTEGER, bytes_received INTEGER, segments_sent INTEGER,"
     " segments_received INTEGER, retransmits INTEGER)"},
    {"incidents",
     "CREATE VIEW incidents AS SELECT id, state, type, cause, severity, confidence, scope, scope_value,"
     " destination, name, perspective, " NETWATCH_TIME(
         "first_affected_ns") " AS first_affected_at,"
                              " " NETWATCH_TIME("opened_ns") " AS opened_at, " NETWATCH_TIME(
                                  "detected_ns") " AS detected_at,"
                                                 " " NETWATCH_TIME(
                                                     "resolved_ns") " AS resolved_at, resolution, attempts, "
                                                                    "failed, flows, symptom, root,"
                                                                    " summary, root_cause, json FROM "
                                                                    "incident ORDER BY opened_ns, id"},
    {"destinations_by_second",
     "CREATE VIEW destinations_by_second AS SELECT " NETWATCH_TIME(
         "s.utc_ns") " AS at,"
                     " " NETWATCH_ENDPOINT(
                         "d.ip",
                         "d.port") " || '/' || d.protocol AS destination, d.name, d.region,"
                                   " d.perspective, d.netns, s.attempts, s.established, s.failed, s.rtt_us,"
                                   " CASE WHEN s.segments > 0 THEN min(1.0, 1.0 * s.lost / s.segments) END "
                                   "AS loss_share,"
                                   " CASE WHEN s.segments_in + s.lost_in > 0 THEN 1.0 * s.lost_in / "
                                   "(s.segments_in + s.lost_in) END"
                                   " AS loss_in_share, s.segments, s.lost, s.segments_in, s.lost_in, "
                                   "s.bytes_sent, s.bytes_received"
                                   " FROM second s JOIN destination d ON d.id = s.destination"},
    {"connections",
     "CREATE VIEW connections AS SELECT " NETWATCH_TIME(
         "c.began_ns") " AS began_at,"
                       " " NETWATCH_TIME(
                           "c.ended_ns") " AS ended_at, c.direction,"
                                         " " NETWATCH_ENDPOINT(
                                             "l.ip",
                                             "c.local_port") " AS local,"
                                                             " " NETWATCH_ENDPOINT(
                                                                 "r.ip",
                                                                 "c.remote_port") " AS remote,"
                                                                                  " l.ip AS local_ip, "
                                                                                  "c.local_port, r.ip AS "
                                                                                  "remote_ip, c.remote_port, "
                                                                                  "c.protocol, c.netns,"
                                                                                  " p.comm AS process, p.pid "
                                                                                  "AS pid, p.cgroup AS "
                                                                                  "cgroup, c.outcome,"
                                                                                  " CASE c.outcome WHEN "
                                                                                  "'open' THEN 'S1' WHEN "
                                                                                  "'timed_out' THEN 'S1' "
                                                                                  "WHEN 'closed' THEN 'SF'"
                                                                                  " WHEN 'reset' THEN 'RSTR' "
                                                                                  "WHEN 'aborted' THEN "
                                                                                  "'RSTO' WHEN 'refused' "
                                                                                  "THEN 'REJ'"
                                                                                  " WHEN 'not_sent' THEN "
                                                                                  "'OTH' ELSE 'S0' END AS "
                                                                                  "conn_state,"
                                                                                  " c.error, c.icmp_type, "
                                                                                  "c.icmp_code, o.ip AS "
                                                                                  "offender, "
                                                                                  "c.syn_retransmits, "
                                                                                  "c.handshake_us, c.rtt_us,"
                                                                                  " (c.ended_ns - "
                                                                                  "c.began_ns) / 1000 AS "
                                                                                  "duration_us, "
                                                                                  "c.bytes_sent, "
                                                                                  "c.bytes_acked, "
                                                                                  "c.bytes_received,"
                                                                                  " c.segments_sent, "
                                                                                  "c.segments_received, "
                                                                                  "c.retransmits"
                                                                                  " FROM connection c JOIN "
                                                                                  "address l ON l.id = "
                                                                                  "c.local JOIN address r ON "
                                                                                  "r.id = c.remote"
                                                                                  " LEFT JOIN process p ON "
                                                                                  "p.id = c.process LEFT "
                                                                                  "JOIN address o ON o.id = "
                                                                                  "c.offender"},
    {"changes",
     "CREATE VIEW changes AS SELECT " NETWATCH_TIME("utc_ns") " AS at, what, by, topic, netns FROM change"
                                                              " ORDER BY utc_ns, id"},
}};

#undef NETWATCH_TIME
#undef NETWATCH_ENDPOINT

}  // namespace

std::span<const SchemaItem> schema_of(std::uint32_t format) {
    switch (format) {
        case 1: return format_1;
        case 2: return format_2;
        default: return {};
    }
}

}  // namespace netwatch::recorder
