"""What the tests share."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, List, Optional, Tuple, Type

import libsds
from libsds import Config, ReliabilityManager

TREE = Path(__file__).resolve().parents[3]
BINDING = TREE / "bindings" / "python"

#: The callbacks of a manager, by the class of their events.
CALLBACKS = (
    "on_message_ready",
    "on_message_sent",
    "on_missing_dependencies",
    "on_periodic_sync",
    "on_repair_ready",
    "on_resend_ready",
    "on_delivery_failed",
    "on_dependencies_lost",
)


def listening(events: List[Any]) -> Any:
    """The arguments that have every event appended to a list."""
    return {name: events.append for name in CALLBACKS}


def of(kind: Type[Any], events: List[Any]) -> List[Any]:
    """The events of a class."""
    return [event for event in events if isinstance(event, kind)]


def chain(channel: str, *ids: str, config: Optional[Config] = None) -> List[bytes]:
    """The payloads of messages each of which cites those before it."""
    with ReliabilityManager(participant_id="sender", config=config) as sender:
        return [sender.wrap(channel, message_id, message_id.encode()) for message_id in ids]


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Waits for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"it did not happen within {seconds} s")
        time.sleep(0.002)


class Unraisable:
    """Collects what is given to sys.unraisablehook."""

    def __enter__(self) -> List[BaseException]:
        self._before = sys.unraisablehook
        self.exceptions: List[BaseException] = []

        def hook(unraisable: Any) -> None:
            self.exceptions.append(unraisable.exc_value)

        sys.unraisablehook = hook
        return self.exceptions

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        sys.unraisablehook = self._before


def run_python(
    code: str, *flags: str, python: str = sys.executable, **environment: Optional[str]
) -> Tuple[int, str, str]:
    """Runs a program in a process of its own, with every warning an error. Returns its exit
    status, its output and its errors."""
    env = dict(os.environ)
    for name, value in environment.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    done = subprocess.run(
        [python, "-X", "dev", "-W", "error", *flags, "-c", code],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def package_folder() -> str:
    """The folder to import libsds from."""
    return str(Path(libsds.__file__).parent.parent)
