"""One right incident, invented, for tests to bend."""

LADDER = ("dns", "ip", "port", "latency", "loss", "route", "firewall", "service")

INCIDENT = {
    "schema": "netwatch.incident/1",
    "id": "n0123456789ab",
    "state": "open",
    "type": "firewall_block",
    "cause": "silent_drop",
    "candidates": [
        {
            "type": "firewall_block",
            "cause": "silent_drop",
            "probability": 0.62,
            "would_split": "another port answers",
        },
        {
            "type": "host_unreachable",
            "cause": "silent",
            "probability": 0.33,
            "would_split": "another port is silent",
        },
    ],
    "confidence": 0.62,
    "severity": "critical",
    "scope": {"kind": "destination", "value": None, "members": ["192.0.2.7:443/tcp"]},
    "perspective": "client",
    "destination": {"ip": "192.0.2.7", "port": 443, "protocol": "tcp"},
    "source": {"netns": 4026531840, "pid": 17, "comm": "curl"},
    "impact": {"attempts": 23, "failed": 23, "flows": 0, "share": 1.0, "processes": ["curl[17]"]},
    "changes": [],
    "owner_hint": "remote",
    "first_affected_at": "2031-05-06T07:08:09.001Z",
    "opened_at": "2031-05-06T07:08:10.001Z",
    "detected_at": "2031-05-06T07:08:10.500Z",
    "resolved_at": None,
    "resolution": None,
    "occurrences": 1,
    "summary": "New connections to 192.0.2.7:443 are not answered.",
    "evidence": [
        {
            "signal": "syn_unanswered",
            "value": 23,
            "text": "23 SYNs unanswered",
            "at": "2031-05-06T07:08:10.000Z",
        }
    ],
    "ruled_out": [{"type": "port_blocked", "because": "no RST was received"}],
    "ladder": [{"step": step, "status": "unknown", "evidence": "not seen"} for step in LADDER],
    "root_cause": {
        "statement": "Something drops new connections.",
        "type": "firewall_block",
        "incident": None,
    },
    "symptom": False,
    "advice": [],
    "observer": {"lost_records": 0},
}
