"""One run's world: the rig, its software, and the loads that scenarios put on the observed host.

Rates, ports, counts, timeouts and who is hit come from the seed.
"""

from __future__ import annotations

import random

from lab import faults_attempts, faults_filters, faults_routes
from lab.agent import Agent
from lab.node import Node
from lab.rig import SERVERS, Rig
from lab.software import Client, Nginx, Postgres, Redis, Service, Tier, endpoint, start_client

BACKGROUNDS = ("steady", "busy")


class Lab:
    """The rig, its software, and whom the fault will hit."""

    def __init__(self, rig: Rig, seed: int, family: int, background: str | None = None):
        self.rig, self.family = rig, family
        self.rng = random.Random(f"scenario {seed}")
        self.victim, *self.others = self.rng.sample(SERVERS, 3)
        self.ports = self.rng.sample(range(2001, 9999), 3)
        self.timeout = round(self.rng.uniform(2.1, 4.9), 2)
        self.background_kind = background or random.Random(f"background {seed}").choice(BACKGROUNDS)
        self.nginx: dict[str, Nginx] = {}
        self.service: Service | None = None
        self.postgres: Postgres | None = None
        self.redis: Redis | None = None
        self.clients: list[Client] = []
        self.agent: Agent | None = None
        self.table_limit = self.table_held = 0  # of tracked connections
        self.node: Node | None = None  # where the client is one
        self.regions: str | None = None  # the text of a file of regions, for the agent

    def ip(self, host: str, network: str = "a") -> str:
        return self.rig.addresses.of(host, self.family, network)

    def at(self, host: str, port: int, network: str = "a") -> str:
        return endpoint(self.ip(host, network), port)

    def nginx_on(self, *hosts: str, **settings) -> None:
        for host in hosts:
            self.nginx[host] = Nginx(self.rig, host, self.ports, **settings)

    def client(self, mode: str, targets: list[str], **options) -> Client:
        options = {"timeout": self.timeout} | options
        self.clients.append(start_client(self.rig, mode, targets, **options))
        return self.clients[-1]

    def rate(self, low: float, high: float) -> float:
        return round(self.rng.uniform(low, high), 3)

    def background(self) -> None:
        """The healthy rest of the host's traffic: other servers, new and kept connections, bulk where busy."""
        targets = [self.at(host, port) for host in self.others for port in self.ports[:2]]
        self.client("connects", targets, rate=self.rate(2.3, 4.1))
        self.client("keep", targets, count=3, rate=self.rate(0.7, 1.9))
        if self.background_kind == "busy":
            self.client("connects", targets, rate=self.rate(17.0, 29.0))
            self.client("keep", targets, count=1, rate=self.rate(1.7, 2.9), path="/blob", timeout=9.7)

    def stop_clients(self) -> None:
        for client in self.clients:
            client.stop()


def web_load(lab: Lab, ports: int = 1, kept: bool = True) -> None:
    """Open-loop connects, curl and kept connections to the first ports of the victim's nginx."""
    lab.nginx_on(*SERVERS)
    web_load_of(lab, lab.ports[:ports], kept)


def web_load_of(lab: Lab, ports: list[int], kept: bool = True) -> None:
    targets = [lab.at(lab.victim, port) for port in ports]
    lab.client("connects", targets, rate=lab.rate(4.3, 7.1))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    if kept:
        lab.client("keep", targets, count=2, rate=lab.rate(1.1, 2.7))
    lab.background()


def one_port(lab: Lab) -> None:
    web_load(lab)


def two_ports(lab: Lab) -> None:
    web_load(lab, ports=2)


def three_ports(lab: Lab) -> None:
    web_load(lab, ports=3)


def port_with_siblings(lab: Lab) -> None:
    """One port will be filtered; the others of the same host stay in use. Kept flows only on those."""
    web_load(lab, ports=1, kept=False)
    _siblings(lab)


def kept_port_with_siblings(lab: Lab) -> None:
    """The same with kept flows on the port itself."""
    web_load(lab, ports=1)
    _siblings(lab)


def _siblings(lab: Lab) -> None:
    siblings = [lab.at(lab.victim, port) for port in lab.ports[1:]]
    lab.client("connects", siblings, rate=lab.rate(2.3, 3.7))
    lab.client("keep", siblings, count=2, rate=lab.rate(1.1, 2.7))


def impatient_load(lab: Lab) -> None:
    """Applications that give up after half a second, before the first SYN is sent again."""
    lab.nginx_on(*SERVERS)
    lab.client("connects", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(4.3, 7.1), timeout=0.5)
    _siblings(lab)
    lab.background()


def retry_loop_load(lab: Lab) -> None:
    """One process that tries again every five seconds, and nothing else to that host."""
    lab.nginx_on(*SERVERS)
    lab.client("periodic", [lab.at(lab.victim, lab.ports[0])], rate=0.2, timeout=4.9)
    _siblings(lab)
    lab.background()


def one_sequential_client(lab: Lab) -> None:
    """One worker, one connection at a time, to the port; others of the host stay in use."""
    lab.nginx_on(*SERVERS)
    lab.client("sequential", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(1.7, 2.9))
    _siblings(lab)
    lab.background()


def neighbor_load(lab: Lab) -> None:
    lab.nginx_on("near", *SERVERS)
    targets = [lab.at("near", port) for port in lab.ports[:2]]
    lab.client("connects", targets, rate=lab.rate(3.1, 5.3))
    lab.client("keep", targets, count=2, rate=lab.rate(1.1, 2.7))
    lab.background()


def kept_only_load(lab: Lab) -> None:
    """A pool of kept connections to the victim that makes no new ones, as long as they work."""
    lab.nginx_on(*SERVERS, keepalive_s=600)
    lab.client("keep", [lab.at(lab.victim, lab.ports[0])], count=5, rate=lab.rate(2.3, 3.7), timeout=29.7)
    lab.background()


def prefix_load(lab: Lab) -> None:
    """All three servers by their addresses in network b, where the fault will be, and in network a."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(server, lab.ports[0], "b") for server in SERVERS]
    lab.client("connects", targets, rate=lab.rate(6.1, 9.7))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    lab.client("keep", targets, count=3, rate=lab.rate(0.7, 1.3))
    lab.background()


def everything_load(lab: Lab) -> None:
    """Both networks and the neighbour, all in use, so that a lost uplink leaves only the neighbour."""
    lab.nginx_on("near")
    prefix_load(lab)
    lab.client("connects", [lab.at("near", lab.ports[0])], rate=lab.rate(2.3, 3.7))


def upload_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    size = 1024 * lab.rng.randrange(97, 163)
    lab.client("keep", targets, count=4, rate=lab.rate(2.3, 3.7), size=size, timeout=7.3)
    lab.client("connects", targets, rate=lab.rate(3.1, 5.3), timeout=7.3)
    lab.background()


def new_uploads_load(lab: Lab) -> None:
    """The same, and new connections that upload at once."""
    upload_load(lab)
    size = 1024 * lab.rng.randrange(17, 43)
    lab.client("connects", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(2.3, 3.7), size=size, timeout=7.3)


def uploads_everywhere_load(lab: Lab) -> None:
    """Uploads to all servers in network b, and to two in network a."""
    lab.nginx_on(*SERVERS)
    size = 1024 * lab.rng.randrange(67, 97)
    targets = [lab.at(server, lab.ports[0], "b") for server in SERVERS]
    lab.client("keep", targets, count=6, rate=lab.rate(2.3, 3.7), size=size, timeout=7.3)
    others = [lab.at(server, lab.ports[0]) for server in lab.others]
    lab.client("keep", others, count=4, rate=lab.rate(2.3, 3.7), size=size, timeout=7.3)
    lab.background()


def bursts_load(lab: Lab) -> None:
    """Small requests all the time, and a large upload now and then."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=5, rate=lab.rate(7.1, 11.3), timeout=7.3)
    size = 1024 * lab.rng.randrange(410, 730)
    lab.client("periodic", targets, rate=lab.rate(0.19, 0.27), size=size, timeout=9.7)
    lab.background()


def short_load(lab: Lab) -> None:
    """Short connections and nothing else."""
    lab.nginx_on(*SERVERS)
    lab.client("connects", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(23.0, 37.0), timeout=7.3)
    lab.background()


def download_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=2, rate=lab.rate(1.3, 2.3), path="/blob", timeout=9.7)
    lab.client("curl", targets, rate=lab.rate(0.7, 1.3), path="/blob", timeout=9.7)
    lab.background()


def answers_load(lab: Lab) -> None:
    """Answers that take several segments, pages or files; small ones now and then."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    path = lab.rng.choice(("/page", "/blob"))
    lab.client("keep", targets, count=3, rate=lab.rate(1.3, 2.3), path=path, timeout=5.7)
    lab.client("connects", targets, rate=lab.rate(2.3, 3.9), path=path, timeout=5.7)
    lab.client("connects", targets, rate=lab.rate(1.3, 2.3), timeout=5.7)
    lab.background()


def syn_load(lab: Lab) -> None:
    """Many new connections to one port, beside kept ones that carry small requests."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("connects", targets, rate=lab.rate(5.3, 8.9))
    lab.client("curl", targets, rate=lab.rate(1.3, 2.3))
    lab.client("keep", targets, count=3, rate=lab.rate(7.1, 11.3))
    lab.background()


def parallel_paths_load(lab: Lab) -> None:
    """New and kept connections to all servers in both networks."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(server, lab.ports[0], network) for server in SERVERS for network in ("a", "b")]
    lab.client("connects", targets, rate=lab.rate(17.0, 23.0))
    lab.client("keep", targets, count=6, rate=lab.rate(1.1, 2.7))
    lab.background()


def both_ways_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    size = 1024 * lab.rng.randrange(97, 163)
    lab.client("keep", targets, count=3, rate=lab.rate(2.3, 3.7), size=size, timeout=9.7)
    lab.client("keep", targets, count=2, rate=lab.rate(1.3, 2.3), path="/blob", timeout=9.7)
    lab.background()


def request_load(lab: Lab) -> None:
    """Kept connections with small requests and answers, as an API's clients are."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=7, rate=lab.rate(11.0, 17.0), timeout=7.3)
    lab.client("keep", targets, count=3, rate=lab.rate(4.3, 6.1), size=3072, timeout=7.3)
    lab.background()


def service_load(lab: Lab, backlog: int = 1024) -> None:
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1], backlog)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=3, rate=lab.rate(1.3, 2.3), timeout=9.7)
    lab.client("connects", targets, rate=lab.rate(2.3, 3.9), timeout=9.7)
    lab.background()


def quick_service_load(lab: Lab) -> None:
    """The same service, which takes five milliseconds for each answer."""
    service_load(lab)
    lab.service.set_delay(0.005)


def crowd_load(lab: Lab) -> None:
    """Requests that take a third of a second each, now more at once, now fewer."""
    service_load(lab)
    lab.service.set_delay(0.35)
    lab.client("connects", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(11.0, 17.0), timeout=9.7)


def translated_crowd_load(lab: Lab) -> None:
    """The same through a gateway that has ports enough.

    A gateway gives no port again within a server's TIME_WAIT. This one has to, a second later, for its few ports to be
    short in a crowd and not in quiet: so the server keeps no TIME_WAIT, which would refuse the SYN whatever the crowd.
    """
    lab.rig.run(lab.victim, ["sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=0"])
    faults_attempts.translate(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0])
    crowd_load(lab)


def large_request_load(lab: Lab) -> None:
    """Uploads of a megabyte or two to the service, and nothing else."""
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1])
    targets = [lab.at(lab.victim, lab.ports[0])]
    size = 1024 * lab.rng.randrange(1100, 1900)
    lab.client("keep", targets, count=3, rate=lab.rate(0.7, 1.3), size=size, timeout=19.7)
    lab.client("connects", targets, rate=lab.rate(0.7, 1.3), size=size, timeout=19.7)
    lab.background()


def slow_reader_load(lab: Lab) -> None:
    """The same to a service that has always read slowly."""
    large_request_load(lab)
    lab.service.set_pause(round(lab.rng.uniform(0.11, 0.19), 2))


def busy_reader_load(lab: Lab) -> None:
    """Small requests whose head and body are written apart, to a service of one thread that computes a lot."""
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1])
    lab.service.set_busy(round(lab.rng.uniform(0.012, 0.024), 3))
    lab.client("keep", [lab.at(lab.victim, lab.ports[0])], count=5, rate=lab.rate(2.7, 4.3), size=120, apart=1)
    lab.background()


def one_process_load(lab: Lab) -> None:
    """The first client is the one to be hit, and one of many."""
    lab.nginx_on(*SERVERS)
    targets = [lab.at(host, port) for host in SERVERS for port in lab.ports]
    lab.client("connects", targets, rate=lab.rate(4.3, 7.1))
    lab.background()


def resting_load(lab: Lab) -> None:
    """Kept connections through a stateful firewall, some in use all the time, some that rest between requests."""
    faults_filters.track_connections(lab.rig)
    lab.nginx_on(*SERVERS, keepalive_s=600)
    targets = [lab.at(lab.victim, lab.ports[0])]
    lab.client("keep", targets, count=5, rate=lab.rate(7.3, 11.1), timeout=7.3)
    for _ in range(8):
        lab.client("keep", targets, count=1, rate=0.1, timeout=7.3)
    lab.background()


def pool_load(lab: Lab) -> None:
    """Kept connections in use through a stateful firewall, and new ones all the time."""
    faults_filters.track_connections(lab.rig)
    lab.nginx_on(*SERVERS)
    targets = [lab.at(lab.victim, lab.ports[0])]
    for _ in range(3):
        lab.client("keep", targets, count=3, rate=lab.rate(1.3, 2.9), timeout=7.3)
    lab.client("connects", targets, rate=lab.rate(4.3, 7.1))
    lab.background()


def elsewhere_load(lab: Lab) -> None:
    """Two ports of one address, the first of which leads to a host farther away than the other's."""
    lab.nginx_on("near", *SERVERS)
    faults_routes.port_elsewhere(lab.rig, lab.family, lab.ip(lab.victim), lab.ports[0], lab.ip("near"))
    web_load_of(lab, lab.ports[:2])


def resetting_load(lab: Lab) -> None:
    """A service that ends connections with RST: after a few answers, in place of a FIN."""
    service_load(lab)
    lab.service.set_resets(answers=3)


def idle_resets_load(lab: Lab) -> None:
    """A service, or a balancer in its place, that resets connections on which nothing is asked for a while."""
    service_load(lab)
    lab.service.set_resets(idle_s=0.7)
    lab.client("keep", [lab.at(lab.victim, lab.ports[0])], count=7, rate=lab.rate(0.4, 0.9), timeout=9.7)


def storm_load(lab: Lab) -> None:
    """Workers that try again at once, beside an unrelated steady rest."""
    web_load(lab)
    lab.client("connects", [lab.at(lab.victim, lab.ports[0])], rate=lab.rate(83.0, 131.0))


def short_backlog_load(lab: Lab) -> None:
    service_load(lab, backlog=3)


def plain_load(lab: Lab) -> None:
    lab.nginx_on(*SERVERS)
    lab.background()


def short_keepalive_load(lab: Lab) -> None:
    """A server that closes kept connections soon and often, and a client that opens some ahead of need."""
    lab.nginx_on(lab.victim, keepalive_s=1, keepalive_requests=3)
    lab.nginx_on(*lab.others)
    targets = [lab.at(lab.victim, port) for port in lab.ports]
    lab.client("keep", targets, count=11, rate=lab.rate(0.9, 2.1))
    lab.client("speculative", targets, rate=lab.rate(2.3, 4.7))
    lab.background()


def dead_health_check_load(lab: Lab) -> None:
    """A backend that was never up, asked at strict intervals since before the agent came."""
    plain_load(lab)
    dead = lab.at(lab.victim, lab.rng.randrange(10001, 10999))
    lab.client("periodic", [dead], rate=lab.rate(0.9, 1.7))


def dual_stack_load(lab: Lab) -> None:
    """Clients that race IPv6 against IPv4 (RFC 8305)."""
    lab.nginx_on(*SERVERS)
    pairs = [
        ",".join(endpoint(lab.rig.addresses.of(lab.victim, family), port) for family in (6, 4))
        for port in lab.ports
    ]
    lab.client("race", pairs, rate=lab.rate(3.1, 4.7))
    lab.background()


def node_load(lab: Lab) -> None:
    """Pods and the node itself use a service address, servers by their own addresses, and each other."""
    lab.nginx_on("pod2", *SERVERS)
    lab.node.serve(lab.ports[1], (lab.ip(lab.victim), lab.ports[0]))
    service = endpoint(lab.node.service, lab.ports[1])
    for host in ("cli", "pod1"):
        lab.client("connects", [service], rate=lab.rate(2.3, 4.1), host=host)
        others = [lab.at(server, lab.ports[0], network) for server in lab.others for network in ("a", "b")]
        lab.client("connects", others, rate=lab.rate(3.1, 5.3), host=host)
        lab.client("keep", others, count=3, rate=lab.rate(0.7, 1.9), host=host)
    lab.client("keep", [endpoint(lab.node.address("pod2"), lab.ports[0])], rate=lab.rate(1.1, 1.9), host="pod1")
    lab.client("connects", [lab.at(lab.victim, lab.ports[2])], rate=lab.rate(3.1, 5.3), host="pod1")


def tiers_load(lab: Lab, pool: int = 5, waiting: int = 1 << 30) -> None:
    """Clients of a web tier, which calls an API, which calls a database elsewhere: the observed host has all but that."""
    lab.nginx_on(*lab.others)
    lab.service = Service(lab.rig, lab.victim, lab.ports[:1])
    lab.service.set_delay(0.005)
    here = lab.ip("cli")
    Tier(lab.rig, "cli", lab.ports[1], here, lab.at(lab.victim, lab.ports[0]), pool=pool)
    Tier(lab.rig, "cli", lab.ports[2], here, endpoint(here, lab.ports[1]), pool=2 * pool, waiting=waiting)
    lab.client("keep", [endpoint(here, lab.ports[2])], count=7, rate=lab.rate(2.3, 3.7), timeout=19.7)
    lab.client("connects", [endpoint(here, lab.ports[2])], rate=lab.rate(3.1, 4.7), timeout=19.7)
    lab.background()


def refusing_tiers_load(lab: Lab) -> None:
    """The same with a web tier that resets connections once its pool is full."""
    tiers_load(lab, waiting=2)


def storm_and_siblings_load(lab: Lab) -> None:
    """A storm of retries against a port that is closed, beside another server that is well."""
    storm_load(lab)
    other = [lab.at(lab.others[0], lab.ports[2])]
    lab.client("connects", other, rate=lab.rate(4.3, 7.1))
    lab.client("keep", [lab.at(lab.others[0], port) for port in lab.ports[:2]], count=2, rate=lab.rate(1.1, 2.7))


def prefix_and_port_load(lab: Lab) -> None:
    """Network b, and one port of the victim's address in network a."""
    prefix_load(lab)
    port = [lab.at(lab.victim, lab.ports[2])]
    lab.client("connects", port, rate=lab.rate(4.3, 7.1))
    lab.client("connects", [lab.at(lab.victim, lab.ports[1])], rate=lab.rate(2.3, 3.7))


def filters_and_loss_load(lab: Lab) -> None:
    """Uploads and short connections to the victim; two ports of each other server, in a network of its own."""
    upload_load(lab)
    for server, network in zip(lab.others, ("a", "b")):
        for port in lab.ports[1:3]:
            lab.client("connects", [lab.at(server, port, network)], rate=lab.rate(2.3, 3.7))


def region_load(lab: Lab) -> None:
    """Network b is one region, network a another."""
    nets = lab.rig.addresses
    lab.regions = f"# two regions\n{nets.a.v4} near\n{nets.b.v4} far\n{nets.a.v6_aggregate} near\n{nets.b.v6_aggregate} far\n"
    prefix_load(lab)


def udp_load(lab: Lab) -> None:
    """Heavy UDP, some of it to ports where nobody listens."""
    plain_load(lab)
    targets = [lab.at(lab.victim, lab.rng.randrange(11000, 19000)) for _ in range(3)]
    lab.client("datagrams", targets, rate=lab.rate(311.0, 503.0))
