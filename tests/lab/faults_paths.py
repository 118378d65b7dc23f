"""Paths that lose, delay, overtake, or take no long packets."""

from __future__ import annotations

from dataclasses import replace

from lab.faults import Fault, Label, at, counted, counters, load_rules, matching
from lab.impair import Impaired
from lab.rig import Rig


# A bare acknowledgement with its timestamps. (With SACK blocks it is longer: they come where the other way loses.)
_BARE = {4: 52, 6: 72}


def _loss_rules(family: int, ip: str, direction: str, per_mille: int) -> str:
    """Counts what passes, and what is dropped that its sender has to repeat (data, FIN) and that not."""
    match = matching(family, ip, direction)
    return "\n".join(
        (
            f"{match} counter",
            f"{match} numgen random mod 1000 < {per_mille} meta mark set 7",
            f"meta mark 7 meta length > {_BARE[family]} counter drop",
            "meta mark 7 tcp flags & (fin | psh) != 0x0 counter drop",
            "meta mark 7 counter drop",
        )
    )


def _counted_loss(rig: Rig, table: str = "fault") -> dict:
    seen, data, last, bare = counters(rig, "r2", table)
    return {"seen": seen, "dropped": data + last + bare, "dropped_data": data + last}


def _at_server(ip: str, port: int, client: str, cause: str) -> Label:
    return Label(
        "packet_loss", (cause,), scope_kinds=("destination",), destinations=((ip, port),), members=(client,),
        perspective="server", process="nginx",
    )  # fmt: skip


def loss(rig: Rig, family: int, ip: str, port: int, per_mille: int, cause: str) -> Fault:
    """A share of the packets to a server (`forward`), from it (`reverse`) or both ways disappears."""
    directions = {"forward": ["daddr"], "reverse": ["saddr"], "both": ["daddr", "saddr"]}[cause]
    heals = [
        load_rules(rig, "r2", "forward", _loss_rules(family, ip, direction, per_mille), f"fault_{direction}")
        for direction in directions
    ]

    def heal() -> None:
        for one in heals:
            one()

    def truth() -> dict:
        counts = [_counted_loss(rig, f"fault_{direction}") for direction in directions]
        return {key: sum(c[key] for c in counts) for key in counts[0]}

    label = Label("packet_loss", (cause,), destinations=((ip, None),), scope_kinds=("destination",))
    seen_there = {"forward": "reverse", "reverse": "forward", "both": "both"}[cause]
    there = _at_server(ip, port, rig.addresses.of("cli", family), seen_there)
    return Fault(label, heal, truth, at_server=there)


def loss_of_network(rig: Rig, family: int, per_mille: int, destinations: list[tuple[str, int]]) -> Fault:
    """A share of the packets to network b disappears, to whichever of its hosts."""
    heal = load_rules(rig, "r1", "forward", _loss_rules(family, rig.addresses.b.aggregate(family), "daddr", per_mille))
    label = Label("packet_loss", ("forward",), scope_kinds=("prefix", "region"), destinations=tuple(destinations))
    return Fault(label, heal)


def rate_limited(rig: Rig, family: int, ip: str, kbytes_s: int, burst_kbytes: int) -> Fault:
    """A policer on the way to a server: what comes faster than its rate, beyond a burst, is dropped at once."""
    match = matching(family, ip)
    over = f"limit rate over {kbytes_s} kbytes/second burst {burst_kbytes} kbytes"
    heal = load_rules(rig, "r2", "forward", f"{match} counter\n{match} {over} counter drop")
    label = Label("packet_loss", ("rate_limited",), destinations=((ip, None),), scope_kinds=("destination",))
    return Fault(label, heal, lambda: dict(zip(("seen", "dropped"), counters(rig, "r2"), strict=True)))


def impaired(rig: Rig, family: int, ip: str, label: Label | None, forth: dict, back: dict) -> Fault:
    """The shim on the way to and from a server, with its options for each direction."""
    path = Impaired(rig, "r2", [family], forth, back, ip, seed=rig.rng.randrange(1 << 32))
    return Fault(label, path.remove, path.counts)


def reordered(rig: Rig, family: int, ip: str, share: float, late_ms: float) -> Fault:
    """Some packets to and from a server are overtaken by those behind them."""
    both = {"reorder": share, "reorder_ms": late_ms}
    return impaired(rig, family, ip, None, both, both)


def delayed(rig: Rig, family: int, ip: str, port: int, by_ms: float, **more: float) -> Fault:
    """All round trips to a server take that much longer, at once or (`ramp_s`) by and by."""
    label = Label("latency_spike", ("path",), **at(ip, port))
    both = {"delay_ms": by_ms / 2} | more
    fault = impaired(rig, family, ip, label, both, both)
    return replace(fault, truth=lambda: fault.truth() | {"by_ms": by_ms})


def impaired_loss(rig: Rig, family: int, ip: str, causes: tuple[str, ...], forth: dict, back: dict) -> Fault:
    """Losses by the shim: in bursts, of answers only, by corruption."""
    label = Label("packet_loss", causes, destinations=((ip, None),), scope_kinds=("destination",))
    fault = impaired(rig, family, ip, label, forth, back)

    def truth() -> dict:
        counts = fault.truth()
        way = counts["forth"] if forth else counts["back"]
        return {
            "seen": way["seen"],
            "dropped": way["lost"] + way["corrupted"],
            "dropped_data": way["lost_data"] + way["corrupted_data"],
        }

    return replace(fault, truth=truth)


def full_answers_swallowed(rig: Rig, family: int, ip: str, longest: int) -> Fault:
    """A router takes no packets from a server that are longer than that, and does not say so."""
    heal = load_rules(rig, "r2", "forward", f"{matching(family, ip, 'saddr')} meta length > {longest} counter drop")
    label = Label(
        "path_mtu_blackhole", ("reverse",), destinations=((ip, None),), scope_kinds=("destination",),
    )  # fmt: skip
    return Fault(label, heal, lambda: counted(rig, "r2"))


def full_segments_swallowed(rig: Rig, family: int, ip: str, longest: int, probing: bool = False) -> Fault:
    """A router takes no packets to a server that are longer than that, and does not say so."""
    rig.run("cli", ["sysctl", "-qw", f"net.ipv4.tcp_mtu_probing={int(probing)}"])
    heal = load_rules(rig, "r2", "forward", f"{matching(family, ip)} meta length > {longest} counter drop")
    label = Label(
        "path_mtu_blackhole", ("forward",), destinations=((ip, None),), scope_kinds=("destination",),
        set_allowed=("host_unreachable", "firewall_block", "routing_failure"),  # until a connection is made
    )  # fmt: skip
    return Fault(label, heal, lambda: counted(rig, "r2"))
