"""A PEP 517 backend: makes the wheel, which carries the shared library.

It takes the library from the file that LIBSDS_PATH names, or from build/ of the tree that
this folder is in, after `make lib`. It needs nothing but Python. The same sources and
library give the same bytes.

There is no source distribution: the library is built by the tree, with Go.

    python3 backend/libsds_wheel.py FOLDER
"""

import base64
import hashlib
import os
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

HERE = Path(__file__).resolve().parent.parent
TREE = HERE.parent.parent
SONAME = "libsds.so.1"

# What PEP 600 lets a manylinux wheel link with, of which the library needs some.
ALLOWED = {
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
}
MACHINES = {62: "x86_64", 183: "aarch64"}


class Elf:
    """What a shared library for 64 bits, little endian, says about what it needs."""

    DYNAMIC, VERNEED = 6, 0x6FFFFFFE  # types of sections
    NEEDED = 1  # a tag of the dynamic section

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("it is no ELF file of 64 bits, little endian")
        self._data = data
        self.machine: int = struct.unpack_from("<H", data, 18)[0]
        (offset,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        # Of each section: type, offset, size, and the section that it is linked with.
        self._sections: List[Tuple[int, int, int, int]] = []
        for i in range(count):
            _, kind, _, _, at, length, link = struct.unpack_from("<IIQQQQI", data, offset + i * size)
            self._sections.append((kind, at, length, link))

    def _section(self, kind: int) -> Iterator[Tuple[int, int, int]]:
        for found, at, length, link in self._sections:
            if found == kind:
                yield at, length, self._sections[link][1]

    def _string(self, at: int) -> str:
        return self._data[at : self._data.index(b"\0", at)].decode()

    def needed(self) -> Set[str]:
        """The libraries that it is linked with."""
        names = set()
        for at, length, strings in self._section(self.DYNAMIC):
            for entry in range(at, at + length, 16):
                tag, value = struct.unpack_from("<QQ", self._data, entry)
                if tag == self.NEEDED:
                    names.add(self._string(strings + value))
        return names

    def versions(self) -> Set[str]:
        """The versions of symbols that it needs, such as GLIBC_2.34."""
        names = set()
        for at, length, strings in self._section(self.VERNEED):
            while True:
                _, count, _, aux, following = struct.unpack_from("<HHIII", self._data, at)
                entry = at + aux
                for _ in range(count):
                    _, _, _, name, step = struct.unpack_from("<IHHII", self._data, entry)
                    names.add(self._string(strings + name))
                    entry += step
                if following == 0:
                    break
                at += following
        return names


def platform_tag(data: bytes) -> str:
    """Computes the tag of the platforms that a library works on: those with the newest glibc
    that it needs a symbol of, or linux_* where it needs more than a manylinux wheel may."""
    elf = Elf(data)
    machine = MACHINES.get(elf.machine)
    if machine is None:
        raise ValueError(f"it is for a machine without a tag here: ELF number {elf.machine}")
    glibc = [v[len("GLIBC_") :].split(".") for v in elf.versions() if v.startswith("GLIBC_")]
    if not elf.needed() <= ALLOWED or not glibc or not all(part.isdigit() for v in glibc for part in v):
        return f"linux_{machine}"
    major, minor = max((int(v[0]), int(v[1])) for v in glibc)
    return f"manylinux_{major}_{minor}_{machine}"


def _metadata(version: str) -> str:
    return "\n".join(
        [
            "Metadata-Version: 2.1",
            "Name: libsds",
            f"Version: {version}",
            "Summary: End-to-end reliability for group messaging (SDS)",
            "License: MIT OR Apache-2.0",
            "Requires-Python: >=3.9",
            "Classifier: Operating System :: POSIX :: Linux",
            "Classifier: Programming Language :: Python :: 3",
            "Classifier: Programming Language :: Python :: Implementation :: CPython",
            "Classifier: Typing :: Typed",
            "Description-Content-Type: text/markdown",
            "",
            (HERE / "README.md").read_text(encoding="utf-8"),
        ]
    )


def _wheel(tag: str) -> str:
    return f"Wheel-Version: 1.0\nGenerator: libsds_wheel\nRoot-Is-Purelib: false\nTag: {tag}\n"


def _library() -> bytes:
    path = Path(os.environ.get("LIBSDS_PATH") or TREE / "build" / "libsds.so")
    try:
        return path.read_bytes()
    except OSError as error:
        raise SystemExit(f"libsds_wheel: {error}: run `make lib`, or let LIBSDS_PATH name the library") from error


def _files() -> Tuple[str, Dict[str, bytes]]:
    """Everything in the wheel but its RECORD, and the wheel's name."""
    version = (TREE / "VERSION").read_text().strip()
    library = _library()
    tag = f"py3-none-{platform_tag(library)}"
    info = f"libsds-{version}.dist-info"
    files = {
        f"libsds/{path.name}": path.read_bytes()
        for path in sorted((HERE / "src" / "libsds").iterdir())
        if path.suffix == ".py" or path.name == "py.typed"
    }
    files[f"libsds/{SONAME}"] = library
    for licence in ("LICENSE-APACHE", "LICENSE-MIT"):
        files[f"{info}/licenses/{licence}"] = (TREE / licence).read_bytes()
    files[f"{info}/METADATA"] = _metadata(version).encode()
    files[f"{info}/WHEEL"] = _wheel(tag).encode()
    return f"libsds-{version}-{tag}.whl", files


def _record(name: str, files: Dict[str, bytes]) -> bytes:
    lines = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{name},,\n"]).encode()


def get_requires_for_build_wheel(config_settings: Optional[Dict[str, Any]] = None) -> List[str]:
    """PEP 517: what building takes."""
    return []


def build_wheel(
    wheel_directory: str,
    config_settings: Optional[Dict[str, Any]] = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """PEP 517: makes the wheel, and returns its name."""
    name, files = _files()
    record = next(path for path in files if path.endswith("/WHEEL")).replace("/WHEEL", "/RECORD")
    files[record] = _record(record, files)
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            mode = 0o755 if path.endswith(SONAME) else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    return name


def build_sdist(sdist_directory: str, config_settings: Optional[Dict[str, Any]] = None) -> str:
    """PEP 517: there is none."""
    raise SystemExit("libsds_wheel: there is no source distribution: the library is built by its tree, with Go")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: libsds_wheel.py FOLDER")
    os.makedirs(sys.argv[1], exist_ok=True)
    print(os.path.join(sys.argv[1], build_wheel(sys.argv[1])))
