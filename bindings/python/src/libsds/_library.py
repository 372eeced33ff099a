"""Finds and loads the shared library, and declares its functions to ctypes.

It is looked for, in this order,

1. in the file that the environment variable LIBSDS_PATH names; if that is set, nowhere else,
2. beside this module, where a wheel puts it,
3. where the system's loader looks (LD_LIBRARY_PATH, ldconfig).

ctypes.CDLL lets other Python threads run while a function of the library does.
"""

import os
from ctypes import CDLL
from pathlib import Path
from typing import List, Tuple

from ._declarations import ABI_VERSION, FUNCTIONS
from .errors import LibraryNotFound

SONAME = f"libsds.so.{ABI_VERSION}"


def _candidates() -> List[Tuple[str, str]]:
    """Where to look, each with the words for it."""
    path = os.environ.get("LIBSDS_PATH")
    if path:
        # An absolute path keeps the loader from searching for a bare name.
        return [(os.path.abspath(path), "LIBSDS_PATH")]
    return [(str(Path(__file__).with_name(SONAME)), "this package"), (SONAME, "the system's loader")]


def _bind(library: CDLL) -> None:
    """Declares the functions; raises AttributeError for one that is not there."""
    for name, (restype, argtypes) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = restype
        function.argtypes = argtypes


def load() -> CDLL:
    """Loads the library, or raises LibraryNotFound, which says where it was looked for."""
    problems = []
    for path, where in _candidates():
        try:
            library = CDLL(path)
            abi = library.SdsAbiVersion()
            if abi != ABI_VERSION:
                raise LibraryNotFound(f"it has ABI version {abi}, this package needs {ABI_VERSION}")
            _bind(library)
        except (OSError, AttributeError, ImportError) as error:
            problems.append(f"  {where}: {path}: {error}")
        else:
            return library
    raise LibraryNotFound(
        "the shared library of libsds cannot be loaded. It was looked for in\n"
        + "\n".join(problems)
        + "\nInstall a wheel that carries it or install it on the system (`make install`),"
        " or let LIBSDS_PATH name the file, such as build/libsds.so after `make lib`."
    )


library = load()
