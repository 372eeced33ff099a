"""The programs that this folder shows do what they say."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

from support import BINDING


def run(*arguments: str) -> str:
    """Runs a program in a folder of its own, with every warning an error. Returns its output."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
        left = set(os.listdir(folder))
    if done.returncode != 0 or done.stderr:
        raise AssertionError(done.stderr)
    assert left <= {"alice.db"}, left
    return done.stdout


class Programs(unittest.TestCase):
    def test_the_example_tells_of_a_loss_a_restart_and_a_repair(self) -> None:
        lines = run(str(BINDING / "examples" / "garden.py")).splitlines()
        for line in (
            "alice says  m2: Frost tonight! (but that is lost)",
            "bob   lacks m2",
            "      (bob ends, and starts again from his file)",
            "alice sends m2 again",
            "bob   hears m3: Cover them.",
        ):
            self.assertIn(line, lines)
        self.assertLess(lines.index("bob   hears m2: Frost tonight!"), lines.index("bob   hears m3: Cover them."))

    def test_the_programs_of_the_readme_run(self) -> None:
        readme = (BINDING / "README.md").read_text(encoding="utf-8")
        programs = re.findall(r"^```python\n(.*?)^```$", readme, flags=re.M | re.S)
        outputs = [re.sub(r"\d{2,} bytes", "n bytes", run("-c", program)) for program in programs]
        self.assertEqual(outputs, ["broadcast n bytes\nlobby: hello\nalice ()\n", "", "lobby: hello\n"])

    def test_the_benchmark_prints_one_figure(self) -> None:
        self.assertRegex(run(str(BINDING / "bench" / "wrap.py")), r"\Awrap \d+\.\d{3}\n\Z")


if __name__ == "__main__":
    unittest.main()
