"""The configuration."""

import dataclasses
import os
import re
import tempfile
import unittest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, Tuple, Union

import libsds
from libsds import Config, ReliabilityManager
from support import TREE, run_python


def table() -> Dict[str, str]:
    """The keys of the header, in snake_case, with their defaults."""
    keys: Dict[str, str] = {}
    section = (TREE / "include" / "libsds.h").read_text(encoding="utf-8").split("@section configuration")[1]
    section = section.split("*/")[0]
    for names, default in re.findall(r"^ \*   \| ([a-z]\w+(?:, \w+)*) +\| ([^|]+?) +\|", section, flags=re.M):
        for name, value in zip(names.split(", "), default.split(", ")):
            if name != "key":
                keys[re.sub("([A-Z])", lambda match: "_" + match.group(1).lower(), name)] = value
    return keys


def default(word: str) -> Any:
    if word in ("true", "false"):
        return word == "true"
    if word.startswith('"'):
        return word.strip('"')
    if word == "{}":
        return {}
    return float(word) if "." in word or "e" in word else int(word)


class Configuration(unittest.TestCase):
    def test_it_has_the_keys_of_the_header_and_no_others(self) -> None:
        self.assertEqual([field.name for field in dataclasses.fields(Config)], list(table()))

    def test_the_library_takes_every_key(self) -> None:
        for name, word in table().items():
            with self.subTest(name), ReliabilityManager(config=Config(**{name: default(word)})) as manager:
                manager.ensure_channel("c")

    def test_the_defaults_in_its_comments_are_those_of_the_header(self) -> None:
        source = Path(libsds.config.__file__).read_text(encoding="utf-8")
        for name, word in table().items():
            with self.subTest(name):
                comment = re.search(r"#: ([^\n]*)\n    %s:" % name, source)
                assert comment is not None
                self.assertIn(f"({'True' if word == 'true' else word})", comment.group(1))

    def test_unknown_names_are_refused(self) -> None:
        with self.assertRaises(TypeError):
            Config(max_contents=5)  # type: ignore[call-arg]

    def test_values_are_refused_by_the_library_which_names_the_key(self) -> None:
        wrong: Any
        for name, key, wrong in (
            ("max_channels", "maxChannels", -1),
            ("max_channels", "maxChannels", "3"),
            ("max_channels", "maxChannels", True),
            ("max_channels", "maxChannels", 10**30),
            ("max_content_bytes", "maxContentBytes", 1.5),
            ("wire_format", "wireFormat", "sds-9"),
            ("channel_wire_formats", "channelWireFormats", {"c": "sds-9"}),
            ("accept_unknown_channels", "acceptUnknownChannels", 1),
            ("bloom_filter_error_rate", "bloomFilterErrorRate", 7),
            ("bloom_filter_error_rate", "bloom_filter_error_rate", float("nan")),
            ("ack_confidence", "ack_confidence", float("inf")),
            ("store_path", "storePath", "a\0b"),
        ):
            with self.subTest(f"{name}={wrong!r}"), self.assertRaisesRegex(libsds.InvalidArgument, key):
                ReliabilityManager(config=Config(**{name: wrong}))
        with self.assertRaisesRegex(libsds.InvalidArgument, "UTF-8"):
            ReliabilityManager(config=Config(store_path="\udcff"))
        with self.assertRaises(TypeError):
            ReliabilityManager(config=Config(wire_format=b"sds-0.4"))  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            ReliabilityManager(config={"max_channels": 1})  # type: ignore[arg-type]

    def test_a_store_path_may_be_any_path(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "grüße \N{PARTY POPPER}.sds")
            paths: Tuple[Union[str, Path], ...] = (path, str(path))
            for given in paths:
                with ReliabilityManager(config=Config(store_path=given)) as manager:
                    manager.ensure_channel("c")
            self.assertTrue(path.exists())

    def test_the_environment_counts_only_without_a_config(self) -> None:
        code = (
            "from libsds import *\n"
            "def limited(config):\n"
            "    with ReliabilityManager(config=config) as manager:\n"
            "        try: manager.wrap('c', 'm', b'four')\n"
            "        except MessageTooLarge: return True\n"
            "        return False\n"
            "print(limited(None), limited(Config()))\n"
        )
        self.assertEqual(run_python(code, SDS_CONFIG='{"maxContentBytes": 3}'), (0, "True False\n", ""))
        self.assertEqual(run_python(code, SDS_CONFIG=None), (0, "False False\n", ""))

    def test_an_interval_is_what_was_configured(self) -> None:
        with ReliabilityManager(config=Config(wire_format="lip-109", lamport_unit="milliseconds")) as manager:
            manager.ensure_channel("c")
            held = manager.inspect("c")
        self.assertEqual((held["wireFormat"], held["clock"]["unit"]), ("lip-109", "milliseconds"))

    def test_channels_write_what_is_named_for_them(self) -> None:
        with ReliabilityManager(config=Config(channel_wire_formats=MappingProxyType({"ö": "lip-109"}))) as manager:
            for channel, format in (("ö", "lip-109"), ("c", "sds-0.4")):
                manager.ensure_channel(channel)
                self.assertEqual(manager.inspect(channel)["wireFormat"], format)

    def test_the_environment_is_that_of_os_environ(self) -> None:
        before = os.environ.get("SDS_CONFIG")
        os.environ["SDS_CONFIG"] = '{"maxContentBytes": 3}'
        try:
            with ReliabilityManager() as manager, self.assertRaises(libsds.MessageTooLarge):
                manager.wrap("c", "m", b"four")
        finally:
            del os.environ["SDS_CONFIG"]
            if before is not None:
                os.environ["SDS_CONFIG"] = before


if __name__ == "__main__":
    unittest.main()
