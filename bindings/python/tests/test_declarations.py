"""The declarations are those of the header."""

import ctypes
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from libsds import _declarations as declarations
from libsds import EventType, Kind, LogLevel, Status
from support import TREE

HEADER = TREE / "include" / "libsds.h"
POINTERS = (ctypes.c_void_p, ctypes.c_char_p)


def kind_of(c: str) -> str:
    """What a C type is to a caller: its size and sign, or a pointer."""
    c = re.sub(r"\b(const|struct)\b", "", c).strip()
    callbacks = ("SdsCallBack", "SdsEventHandler", "SdsRetrievalHintProvider", "SdsLogHandler")
    if "*" in c or c in callbacks:
        return "pointer"
    return c


def kind_of_ctype(c: Any) -> str:
    if c is None:
        return "void"
    if c in POINTERS or hasattr(c, "contents") or issubclass(c, ctypes._CFuncPtr):  # type: ignore[attr-defined]
        return "pointer"
    names = {ctypes.c_int: "int", ctypes.c_uint32: "uint32_t", ctypes.c_int64: "int64_t", ctypes.c_size_t: "size_t"}
    return names[c]


class Declarations(unittest.TestCase):
    def setUp(self) -> None:
        # Without comments and preprocessor, a declaration ends with its semicolon.
        text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.S)
        self.header = re.sub(r"\s+", " ", re.sub(r"^#.*$", "", text, flags=re.M))

    def test_every_exported_function_is_declared_and_no_other(self) -> None:
        exported = (TREE / "tests" / "abi" / "symbols.txt").read_text().split()
        self.assertEqual(sorted(declarations.FUNCTIONS), sorted(exported))

    def test_functions_take_and_return_what_the_header_says(self) -> None:
        found = re.findall(r"([\w ]+[ *])(Sds\w+)\(([^()]*)\);", self.header)
        prototypes = {name: (result, parameters) for result, name, parameters in found if "typedef" not in result}
        self.assertEqual(sorted(prototypes), sorted(declarations.FUNCTIONS))
        for name, (result, parameters) in prototypes.items():
            with self.subTest(name):
                types = [] if parameters == "void" else [re.sub(r"\w+$", "", p.strip()) for p in parameters.split(",")]
                restype, argtypes = declarations.FUNCTIONS[name]
                self.assertEqual(kind_of_ctype(restype), kind_of(result))
                self.assertEqual([kind_of_ctype(a) for a in argtypes], [kind_of(t) for t in types])

    def test_structs_have_the_layout_that_the_compiler_gives_them(self) -> None:
        lines = ["#include <libsds.h>", "#include <stdio.h>", "int main(void) {"]
        expected = []
        for struct in declarations.STRUCTS:
            name = struct.__name__
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            expected.append(f"{name} {ctypes.sizeof(struct)}")
            for member, *_ in struct._fields_:
                field = getattr(struct, member)
                at, size = f"offsetof({name}, {member})", f"sizeof((({name} *)0)->{member})"
                lines.append(f'printf("{name}.{member} %zu %zu\\n", {at}, {size});')
                expected.append(f"{name}.{member} {field.offset} {field.size}")
        lines.append("return 0; }")
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "layout.c")
            source.write_text("\n".join(lines))
            program = str(Path(folder, "layout"))
            compiler = os.environ.get("CC", "gcc")
            subprocess.run([compiler, f"-I{HEADER.parent}", str(source), "-o", program], check=True)
            output = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(output.split("\n")[:-1], expected)

    def test_structs_have_every_member(self) -> None:
        for struct in declarations.STRUCTS:
            with self.subTest(struct.__name__):
                body = re.search(r"typedef struct \{([^{}]*)\} %s;" % struct.__name__, self.header)
                assert body is not None
                members = re.findall(r"(?:\(\*(\w+)\)\([^()]*\)|(\w+));", body.group(1))
                self.assertEqual([a or b for a, b in members], [name for name, *_ in struct._fields_])

    def test_enumerations_have_the_numbers_of_the_header(self) -> None:
        for prefix, enumeration in (("SDS_KIND_", Kind), ("SDS_EVENT_", EventType)):
            found = dict(re.findall(prefix + r"(\w+) = (\d+)", self.header))
            self.assertEqual({m.name: m.value for m in enumeration}, {k: int(v) for k, v in found.items()})
        statuses = re.search(r"typedef enum \{([^{}]*)\} SdsStatus;", self.header)
        assert statuses is not None
        found = dict(re.findall(r"SDS_(\w+) = (\d+)", statuses.group(1)))
        self.assertEqual({s.name: s.value for s in Status}, {k: int(v) for k, v in found.items()})
        self.assertEqual([level.value for level in LogLevel], [-4, 0, 4, 8])

    def test_the_abi_version_is_that_of_the_header(self) -> None:
        version = re.search(r"#define SDS_ABI_VERSION (\d+)", HEADER.read_text(encoding="utf-8"))
        assert version is not None
        self.assertEqual(declarations.ABI_VERSION, int(version.group(1)))


if __name__ == "__main__":
    unittest.main()
