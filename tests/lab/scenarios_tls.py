"""Scenarios around TLS: certificates, versions, ciphers, names, trust, and what only looks like trouble."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lab import faults_tls
from lab.faults import Fault
from lab.rig import SERVERS
from lab.scenario import Scenario, fault as _tls
from lab.scenario import healthy, nothing
from lab.software import Nginx
from lab.tls import DAY, Authority, OpensslServer, SecureNginx, Site, start_go_client, start_tls_client
from lab.world import Lab

TLS12 = {"max_version": "1.2"}
TLS13 = {"min_version": "1.3"}
# Two suites of TLS 1.2 for an ECDSA key, in OpenSSL's names.
SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305")


@dataclass
class Secure:
    """The TLS part of one run's world."""

    lab: Lab
    authority: Authority
    roots: Path  # what clients trust
    name: str
    port: int
    nginx: dict[str, SecureNginx] = field(default_factory=dict)
    openssl: OpensslServer | None = None

    def at(self, name: str | None = None, host: str | None = None) -> str:
        lab = self.lab
        return f"{lab.at(host or lab.victim, self.port)}/{name or self.name}"

    def client(self, mode: str, targets: list[str] | None = None, **options) -> None:
        options = {"timeout": self.lab.timeout, "ca": self.roots, "rate": self.lab.rate(2.3, 4.1)} | options
        self.lab.clients.append(start_tls_client(self.lab.rig, mode, targets or [self.at()], **options))

    @property
    def ip(self) -> str:
        return self.lab.ip(self.lab.victim)

    @property
    def server(self) -> SecureNginx:
        return self.nginx[self.lab.victim]


def _begin(lab: Lab) -> Secure:
    authority = Authority(lab.rig.directory / "authority")
    roots = lab.rig.directory / "roots.pem"
    shutil.copy(authority.root, roots)
    name = f"{lab.rng.choice(('shop', 'api', 'login'))}{lab.rng.randrange(10, 99)}.lab.example"
    port = lab.rng.choice((443, 443, 8443, lab.rng.randrange(10001, 10999)))
    lab.secure = Secure(lab, authority, roots, name, port)
    lab.nginx_on(*lab.others)
    lab.background()
    return lab.secure


def _serve(secure: Secure, *names: str, host: str | None = None, **settings) -> None:
    lab = secure.lab
    sites = {name: Site(secure.authority.issue(name), **settings) for name in names or (secure.name,)}
    secure.nginx[host or lab.victim] = SecureNginx(lab.rig, host or lab.victim, secure.port, sites)


def _load(lab: Lab, clients: tuple[str, ...] = ("connects", "curl", "keep"), site: dict | None = None, **options) -> None:
    """One server with TLS, used by clients of several kinds."""
    secure = _begin(lab)
    _serve(secure, **(site or {}))
    for mode in clients:
        secure.client(mode, **options)


def _strangers(lab: Lab) -> Authority:
    return Authority(lab.rig.directory / "strangers", "another authority")


# --- faults --------------------------------------------------------------------------------------------------


def _expired(lab: Lab, causes=("certificate_expired",)) -> Fault:
    secure = lab.secure
    old = secure.authority.issue(secure.name, begins=-90 * DAY, ends=-lab.rng.randrange(1, 40) * DAY)
    return faults_tls.shows(secure.server, secure.name, old, causes, secure.ip)


def _not_yet_valid(lab: Lab) -> Fault:
    secure = lab.secure
    new = secure.authority.issue(secure.name, begins=lab.rng.randrange(1, 9) * DAY, ends=90 * DAY)
    return faults_tls.shows(secure.server, secure.name, new, ("certificate_not_yet_valid",), secure.ip)


def _unknown_ca(lab: Lab) -> Fault:
    secure = lab.secure
    foreign = _strangers(lab).issue(secure.name)
    return faults_tls.shows(secure.server, secure.name, foreign, ("unknown_ca",), secure.ip)


def _other_names(lab: Lab) -> Fault:
    secure = lab.secure
    other = secure.authority.issue("elsewhere.lab.example")
    return faults_tls.shows(secure.server, secure.name, other, ("name_mismatch",), secure.ip)


def _only_tls13(lab: Lab) -> Fault:
    secure = lab.secure
    return faults_tls.set_up(secure.server, secure.name, ("protocol_version",), secure.ip, protocols="TLSv1.3")


def _only_tls12(lab: Lab) -> Fault:
    secure = lab.secure
    return faults_tls.set_up(secure.server, secure.name, ("protocol_version",), secure.ip, protocols="TLSv1.2")


def _other_suite(lab: Lab) -> Fault:
    secure = lab.secure
    return faults_tls.set_up(secure.server, secure.name, ("no_shared_cipher",), secure.ip, ciphers=SUITES[1])


def _mutual_clients(lab: Lab, version: dict) -> None:
    secure = _begin(lab)
    secure.openssl = OpensslServer(lab.rig, lab.victim, secure.port, secure.authority.issue(secure.name))
    for mode in ("curl", "gnutls"):
        secure.client(mode, rate=lab.rate(1.3, 2.1), **version)


def _wants_certificates(lab: Lab) -> Fault:
    secure = lab.secure
    return faults_tls.wants_certificates(secure.openssl, secure.ip, secure.authority.root)


def _plain(lab: Lab) -> Fault:
    return faults_tls.plain(lab.secure.server, lab.secure.ip)


def _mute(lab: Lab) -> Fault:
    return faults_tls.mute(lab.rig, lab.secure.server, lab.secure.ip)


def _two_names_load(lab: Lab) -> None:
    secure = _begin(lab)
    other = f"news{lab.rng.randrange(10, 99)}.lab.example"
    _serve(secure, other, secure.name)
    for name in (secure.name, other):
        for mode in ("connects", "curl"):
            secure.client(mode, [secure.at(name)])


def _one_name_expired(lab: Lab) -> Fault:
    secure = lab.secure
    old = secure.authority.issue(secure.name, begins=-90 * DAY, ends=-lab.rng.randrange(1, 40) * DAY)
    scope = {"kinds": ("name",), "scope_values": (secure.name,)}
    return faults_tls.shows(secure.server, secure.name, old, ("certificate_expired",), secure.ip, **scope)


def _name_filtered(lab: Lab, how: str) -> Fault:
    secure = lab.secure
    ttl = lab.rng.choice((64, 128, 255)) - 7
    return faults_tls.name_filtered(lab.rig, lab.family, secure.ip, secure.port, secure.name, how, ttl)


def _many_servers_load(lab: Lab) -> None:
    """Three servers under three names, used by programs that trust one file."""
    secure = _begin(lab)
    targets = []
    for index, host in enumerate(SERVERS):
        name = f"server{index}.lab.example"
        _serve(secure, name, host=host)
        targets.append(secure.at(name, host))
    for mode in ("connects", "curl"):
        secure.client(mode, targets, rate=lab.rate(4.1, 6.3))


def _trust_lost(lab: Lab) -> Fault:
    secure = lab.secure
    servers = [(lab.ip(host), secure.port) for host in SERVERS]
    return faults_tls.trusts_nobody(secure.roots, _strangers(lab), servers)


def _own_store_load(lab: Lab) -> None:
    """curl has a file of trusted certificates of its own."""
    secure = _begin(lab)
    _serve(secure)
    own = lab.rig.directory / "own-roots.pem"
    shutil.copy(secure.roots, own)
    secure.client("connects")
    secure.client("curl", ca=own)


def _own_store_lost(lab: Lab) -> Fault:
    own = lab.rig.directory / "own-roots.pem"
    return faults_tls.trusts_nobody(own, _strangers(lab), [(lab.secure.ip, lab.secure.port)], "curl")


def _hidden_load(lab: Lab) -> None:
    """Clients whose alerts TLS 1.3 hides: GnuTLS and Go."""
    secure = _begin(lab)
    _serve(secure)
    secure.client("gnutls", rate=lab.rate(1.7, 2.9), **TLS13)
    lab.clients.append(start_go_client(lab.rig, [secure.at()], secure.roots, lab.rate(1.7, 2.9), "1.3"))


def _go_load(lab: Lab) -> None:
    secure = _begin(lab)
    _serve(secure)
    lab.clients.append(start_go_client(lab.rig, [secure.at()], secure.roots, lab.rate(2.7, 3.9), "1.2"))


# --- nothing is wrong ----------------------------------------------------------------------------------------


def _renewed(lab: Lab) -> None:
    secure = lab.secure
    secure.server.change(secure.name, certificate=secure.authority.issue(secure.name))
    time.sleep(lab.rate(1.1, 2.3))
    secure.server.change(secure.name, certificate=secure.authority.issue(secure.name))


def _near_its_end_load(lab: Lab) -> None:
    """A certificate of ninety days that has two left."""
    secure = _begin(lab)
    site = Site(secure.authority.issue(secure.name, begins=-88 * DAY, ends=2 * DAY), protocols="TLSv1.2")
    secure.nginx[lab.victim] = SecureNginx(lab.rig, lab.victim, secure.port, {secure.name: site})
    for mode in ("connects", "curl"):
        secure.client(mode)


def _optional_load(lab: Lab) -> None:
    """Client certificates are asked for and not demanded; some have one."""
    secure = _begin(lab)
    own = secure.authority.issue("client.lab.example")
    _serve(secure, verify="optional", clients_root=secure.authority.root)
    secure.client("connects")
    secure.client("connects", cert=own.chain, key=own.key)
    secure.client("curl", **TLS12)


def _early_load(lab: Lab) -> None:
    """Health checks that only connect, or only shake hands, preconnects, half handshakes, curl at its limit of time."""
    _load(lab, ("connects", "leaves", "preconnects", "scans"), site={"extra": "ssl_session_tickets off;"})
    lab.secure.client("curl", timeout=0.3)


def _resuming_load(lab: Lab) -> None:
    _load(lab, ("resumes",), **lab.rng.choice((TLS12, TLS13)))
    lab.secure.client("resumes", **TLS12)


def _plain_elsewhere_load(lab: Lab) -> None:
    """Plain HTTP on the HTTPS port of other hosts and on ports of its own, beside TLS."""
    _load(lab, ("connects", "curl"))
    host = lab.others[0]
    Nginx(lab.rig, "near", [443, lab.ports[1]])
    targets = [f"{lab.at('near', port)}/near.lab.example" for port in (443, lab.ports[1])]
    lab.secure.client("plain", targets)
    lab.client("connects", [lab.at(host, lab.ports[0])], rate=lab.rate(2.3, 3.7))


BOTH = (4, 6)

TLS: list[Scenario] = [
    *_tls("certificate_expired", 32, "TLS 1.2: the certificate has expired", partial(_load, **TLS12), _expired, families=BOTH, quick=(4,)),
    *_tls("certificate_expired_tls13", 32, "TLS 1.3: the certificate has expired", partial(_load, **TLS13), _expired, families=BOTH),
    *_tls(
        "certificate_expired_hidden",
        32,
        "TLS 1.3 with GnuTLS and Go: the certificate has expired",
        _hidden_load,
        partial(_expired, causes=("encrypted_alert", "certificate_expired")),
    ),
    *_tls("certificate_expired_go", 32, "TLS 1.2 with Go: the certificate has expired", _go_load, _expired),
    *_tls("certificate_not_yet_valid", None, "TLS 1.2: a certificate of the days to come", partial(_load, **TLS12), _not_yet_valid),
    *_tls("unknown_ca", 33, "a certificate of another authority", _load, _unknown_ca, families=BOTH),
    *_tls("certificate_of_other_names", None, "TLS 1.2: a certificate for other names", partial(_load, **TLS12), _other_names),
    *_tls("protocol_version", 34, "the server takes TLS 1.3 only, clients speak 1.2", partial(_load, **TLS12), _only_tls13, families=BOTH),
    *_tls("protocol_version_old_server", 34, "the server takes TLS 1.2 only, clients want 1.3", partial(_load, **TLS13), _only_tls12),
    *_tls(
        "cipher_mismatch",
        35,
        "the server takes another cipher only",
        partial(_load, site={"protocols": "TLSv1.2"}, ciphers=SUITES[0], **TLS12),
        _other_suite,
        families=BOTH,
    ),
    *_tls("client_certificate_missing", 36, "TLS 1.2: the server wants client certificates", partial(_mutual_clients, version=TLS12), _wants_certificates, families=BOTH),
    *_tls("client_certificate_missing_tls13", 36, "TLS 1.3: the server wants client certificates", partial(_mutual_clients, version=TLS13), _wants_certificates),
    *_tls("plaintext_on_tls", 37, "plain HTTP on the TLS port", partial(_load, clients=("connects", "curl")), _plain, families=BOTH),
    *_tls("mute_on_tls", None, "the TLS port takes everything and says nothing", partial(_load, clients=("connects", "curl")), _mute),
    *_tls("one_name_expired", None, "of two names at one address the certificate of one has expired", _two_names_load, _one_name_expired),
    *_tls("one_name_reset", None, "a box on the way resets handshakes for one of two names", _two_names_load, partial(_name_filtered, how="reset"), families=BOTH),
    *_tls("one_name_silent", None, "a box on the way swallows handshakes for one of two names", _two_names_load, partial(_name_filtered, how="silent")),
    *_tls("trust_lost", None, "the file of trusted certificates is replaced", _many_servers_load, _trust_lost, families=BOTH),
    *_tls("trust_of_one_program_lost", None, "that of one program alone is", _own_store_load, _own_store_lost),
    healthy("certificate_renewed", "certificates are renewed, twice", _load, _renewed),
    healthy("certificate_near_its_end", "a certificate with two days left", _near_its_end_load, nothing),
    healthy("client_certificates_optional", "client certificates are welcome", _optional_load, nothing),
    healthy("tls_early_closers", "clients that leave in mid-handshake or right after", _early_load, nothing, watch_s=9.0),
    healthy("tls_resumption", "sessions are taken up again", _resuming_load, nothing),
    healthy("plain_beside_tls", "plain HTTP on port 443 and elsewhere", _plain_elsewhere_load, nothing),
]
