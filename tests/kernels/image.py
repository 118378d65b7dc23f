"""What a guest starts with: an initramfs of two archives, one after the other. The kernel unpacks both.

The first holds programs, the libraries that they load, Python and this directory's guest.py; it serves every kernel.
The second holds the modules of one kernel, and the order in which they are loaded.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

MODULES = (
    "veth", "nf_tables", "nft_reject_inet", "nft_ct", "nft_counter", "nf_conntrack_netlink", "sch_netem", "tun",
)  # fmt: skip
PROGRAMS = ("ip", "tc", "nft", "sysctl")
# Parts of Python's library that no guest needs, and that are large.
NOT_PYTHON = shutil.ignore_patterns("test", "tests", "idlelib", "lib2to3", "ensurepip", "pydoc_data", "config-*", "tkinter")
SOURCES = ("tests/kernels/guest.py", "tests/lab/__init__.py", "tests/lab/agent.py", "tests/lab/namespaces.py",
           "tests/lab/client.py", "tests/lab/service.py")  # fmt: skip


def output_of(*argv: str | Path) -> str:
    return subprocess.run([str(part) for part in argv], check=True, capture_output=True, text=True).stdout


def libraries_of(program: Path) -> list[Path]:
    """The shared objects that `program` loads, the loader itself included; none where it is static."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    if "not found" in said:
        raise RuntimeError(f"{program} cannot be started here: a library is missing")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said)]


class Userland:
    """A directory that becomes the root of the guest."""

    def __init__(self, root: Path):
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        for name in ("bin", "dev", "proc", "sys", "run", "tmp", "etc", "usr/lib"):
            (root / name).mkdir(parents=True)

    def add_program(self, source: Path, to: str) -> None:
        target = self.root / to.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["strip", "-o", str(target), str(source)], check=True)
        self.add_libraries(source)

    def add_libraries(self, program: Path) -> None:
        for library in libraries_of(program):
            target = self.root / str(library).lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)

    def add_python(self) -> None:
        interpreter = Path("/usr/bin/python3").resolve()
        self.add_program(interpreter, "/usr/bin/python3")
        library = Path(output_of("/usr/bin/python3", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))").strip())
        shutil.copytree(library, self.root / str(library).lstrip("/"), ignore=NOT_PYTHON, symlinks=True)
        for extension in (library / "lib-dynload").glob("*.so"):
            self.add_libraries(extension)

    def add_sources(self) -> None:
        for name in SOURCES:
            target = self.root / "netwatch" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, target)


def build_userland(binary: Path, kernel_tests: Path, work: Path) -> Path:
    """The first archive; the same for every kernel."""
    userland = Userland(work / "userland")
    userland.add_program(Path("/bin/busybox"), "/bin/busybox")
    userland.add_program(Path("/bin/dash"), "/bin/sh")  # for std::system(); busybox's would prefer its own commands
    for name in PROGRAMS:
        userland.add_program(Path(shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")), f"/usr/bin/{name}")
    userland.add_python()
    userland.add_sources()
    userland.add_program(binary, "/netwatch/build/dev/netwatch")
    userland.add_program(kernel_tests, "/netwatch/kernel_tests")
    shutil.copy(REPOSITORY / "tests/kernels/guest-init", userland.root / "init")
    return pack(userland.root, work / "userland.cpio")


def modules_of(kernel: Path) -> list[Path]:
    """The files of MODULES and of what they need, in the order of loading. What is built in has no file."""
    release = (kernel / "release").read_text().strip()
    ordered: dict[Path, None] = {}
    for name in MODULES:
        done = subprocess.run(
            ["/sbin/modprobe", "--dirname", str(kernel), "--set-version", release, "--show-depends", name],
            capture_output=True,
            text=True,
        )
        for path in re.findall(r"^insmod (\S+)", done.stdout, re.MULTILINE):
            ordered[Path(path)] = None
    return list(ordered)


def build_modules(kernel: Path, work: Path) -> Path:
    """The second archive."""
    root = work / "modules"
    shutil.rmtree(root, ignore_errors=True)
    (root / "modules").mkdir(parents=True)
    files = modules_of(kernel)
    for file in files:
        shutil.copy(file, root / "modules")
    (root / "modules" / "order").write_text("".join(f"/modules/{file.name}\n" for file in files))
    return pack(root, work / f"modules-{kernel.name}.cpio")


def pack(root: Path, archive: Path) -> Path:
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*"))) + "\n"
    with archive.open("wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=root, input=names.encode(), stdout=out, check=True)
        out.write(b"\0" * (-out.tell() % 512))
    return archive


def join(archives: list[Path], to: Path) -> Path:
    with to.open("wb") as out:
        for archive in archives:
            out.write(archive.read_bytes())
    return to
