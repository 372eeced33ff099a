"""What callbacks may do, and where their exceptions go."""

import sys
import threading
import unittest
from ctypes import pointer
from typing import Any, Callable, List, Tuple

import libsds
from libsds import CallbackErrors, Config, MessageReady, PeriodicSync, ReliabilityManager, _callbacks, bindings
from libsds._declarations import SdsEvent
from support import Unraisable, chain, listening, until


class Wrong(Exception):
    pass


def raising(error: BaseException) -> Any:
    def callback(_: object) -> None:
        raise error

    return callback


class Exceptions(unittest.TestCase):
    def test_an_exception_surfaces_from_the_call_that_caused_it(self) -> None:
        error = Wrong("no")
        (payload,) = chain("c", "m")
        with ReliabilityManager(on_message_ready=raising(error)) as bob:
            with self.assertRaises(Wrong) as caught:
                bob.unwrap(payload)
            self.assertIs(caught.exception, error)
            # The operation took effect, and nothing is left for the next call to raise.
            self.assertTrue(bob.unwrap(payload).duplicate)

    def test_the_result_of_the_operation_is_not_lost(self) -> None:
        (payload,) = chain("c", "m")
        with ReliabilityManager(on_message_ready=raising(Wrong())) as bob:
            with self.assertRaises(Wrong) as caught:
                bob.unwrap(payload)
        self.assertEqual(getattr(caught.exception, "sds_result").content, b"m")

    def test_several_exceptions_surface_together(self) -> None:
        raised: List[Exception] = []

        def callback(event: MessageReady) -> None:
            raised.append(Wrong(event.message_id))
            raise raised[-1]

        first, second = chain("c", "m1", "m2")
        with ReliabilityManager(on_message_ready=callback) as bob:
            bob.unwrap(second)
            with self.assertRaises(CallbackErrors) as caught:
                bob.unwrap(first)
        self.assertEqual(list(caught.exception.exceptions), raised)
        self.assertEqual([str(error) for error in raised], ["m1", "m2"])
        self.assertIn("several callbacks raised", str(caught.exception))
        self.assertEqual(getattr(caught.exception, "sds_result").message_id, "m1")

    def test_they_are_an_exception_group_where_there_is_such(self) -> None:
        expected = "ExceptionGroup" if sys.version_info >= (3, 11) else "Exception"
        self.assertEqual(CallbackErrors.__mro__[1].__name__, expected)

    def test_one_exception_that_is_raised_twice_is_no_trouble(self) -> None:
        error = Wrong()
        first, second = chain("c", "m1", "m2")
        with ReliabilityManager(on_message_ready=raising(error)) as bob:
            bob.unwrap(second)
            with self.assertRaises(CallbackErrors) as caught:
                bob.unwrap(first)
        self.assertEqual(list(caught.exception.exceptions), [error, error])

    def test_what_ends_the_program_goes_before_all_others(self) -> None:
        for end in (KeyboardInterrupt, SystemExit):
            first, second = chain("c", "m1", "m2")
            with ReliabilityManager(
                on_missing_dependencies=raising(Wrong()), on_message_ready=raising(end())
            ) as bob:
                with self.assertRaises(Wrong):
                    bob.unwrap(second)
                with self.assertRaises(end):
                    bob.unwrap(first)

    def test_every_callback_runs_although_one_before_it_raised(self) -> None:
        heard: List[str] = []

        def callback(event: MessageReady) -> None:
            heard.append(event.message_id)
            raise Wrong

        payloads = chain("c", "m1", "m2", "m3")
        with ReliabilityManager(on_message_ready=callback) as bob:
            bob.unwrap(payloads[2])
            bob.unwrap(payloads[1])
            with self.assertRaises(CallbackErrors):
                bob.unwrap(payloads[0])
        self.assertEqual(heard, ["m1", "m2", "m3"])

    def test_an_exception_of_a_hint_provider_surfaces_from_wrap(self) -> None:
        with ReliabilityManager(hint_provider=raising(Wrong("hint"))) as alice, ReliabilityManager() as bob:
            alice.wrap("c", "m1", b"x")
            with self.assertRaisesRegex(Wrong, "hint") as caught:
                alice.wrap("c", "m2", b"x")
            self.assertEqual(bob.unwrap(getattr(caught.exception, "sds_result")).message_id, "m2")

    def test_a_hint_that_is_no_bytes_is_a_type_error(self) -> None:
        with ReliabilityManager(hint_provider=lambda _: "text") as alice:  # type: ignore[arg-type,return-value]
            alice.wrap("c", "m1", b"x")
            with self.assertRaises(TypeError):
                alice.wrap("c", "m2", b"x")

    def test_on_the_library_s_thread_an_exception_is_unraisable(self) -> None:
        error = Wrong()
        threads: List[int] = []

        def callback(_: PeriodicSync) -> None:
            threads.append(threading.get_ident())
            raise error

        with Unraisable() as unraisable:
            config = Config(sync_message_interval_ms=1)
            with ReliabilityManager(config=config, on_periodic_sync=callback) as alice:
                alice.ensure_channel("c")
                alice.start()
                until(lambda: len(unraisable) >= 2)
                alice.wrap("c", "m", b"x")  # is not disturbed
        self.assertIs(unraisable[0], error)
        self.assertNotIn(threading.get_ident(), threads)

    def test_an_error_of_a_call_inside_a_callback_surfaces_from_both(self) -> None:
        (payload,) = chain("c", "m")

        def callback(_: MessageReady) -> None:
            bob.wrap("c", "", b"x")

        with ReliabilityManager(on_message_ready=callback) as bob:
            with self.assertRaisesRegex(libsds.InvalidArgument, "empty"):
                bob.unwrap(payload)


class Reentrance(unittest.TestCase):
    def test_a_callback_may_call_every_method_of_its_manager(self) -> None:
        (payload,) = chain("c", "m")
        answers: List[Any] = []

        def callback(_: MessageReady) -> None:
            answers.append(bob.wrap("c", "answer", b"yes"))
            answers.append(bob.wrap_sync("c"))
            answers.append(bob.wrap_ephemeral("c", "e", b"x"))
            answers.append(bob.inspect("c"))
            answers.append(bob.channels())
            answers.append(bob.stats())
            answers.append(bob.tick())
            bob.mark_met("c", ["elsewhere"])
            bob.ensure_channel("d")
            bob.drop_channel("d")

        with ReliabilityManager(participant_id="bob", on_message_ready=callback) as bob:
            bob.unwrap(payload)
        self.assertEqual(len(answers), 7)

    def test_a_callback_may_close_its_manager_and_gets_the_result(self) -> None:
        first, second = chain("c", "m1", "m2")
        heard: List[str] = []

        def callback(event: MessageReady) -> None:
            heard.append(event.message_id)
            bob.close()

        bob = ReliabilityManager(on_message_ready=callback)
        bob.unwrap(second)
        self.assertEqual(bob.unwrap(first).message_id, "m1")
        self.assertEqual(heard, ["m1"])  # of m2 nobody is told any more
        with self.assertRaises(libsds.InvalidContext):
            bob.unwrap(first)

    def test_two_managers_may_call_each_other_from_callbacks(self) -> None:
        (payload,) = chain("c", "m")
        heard: List[str] = []

        def forward(event: MessageReady) -> None:
            heard.append("bob")
            carol.unwrap(payload)

        def back(event: MessageReady) -> None:
            heard.append("carol")
            heard.append(bob.unwrap(payload).message_id)

        with ReliabilityManager(on_message_ready=forward) as bob, ReliabilityManager(on_message_ready=back) as carol:
            bob.unwrap(payload)
        self.assertEqual(heard, ["bob", "carol", "m"])

    def test_a_hint_provider_must_not_call_a_manager(self) -> None:
        refused: List[str] = []

        def provide(_: str) -> None:
            uses: Tuple[Callable[[], object], ...] = (
                alice.stats,
                alice.close,
                lambda: alice.wrap("d", "m", b"x"),
                ReliabilityManager,
            )
            for use in uses:
                try:
                    use()
                except libsds.InvalidArgument as error:
                    refused.append(str(error))

        with ReliabilityManager(hint_provider=provide) as alice:
            alice.wrap("c", "m1", b"x")
            alice.wrap("c", "m2", b"x")
            self.assertEqual(len(refused), 4)
            # Closing has no text of its own.
            self.assertEqual([("hint provider" in text) for text in refused], [True, False, True, True])
            alice.wrap("c", "m3", b"x")

    def test_user_data_never_confuses_managers(self) -> None:
        heard: List[List[Any]] = [[] for _ in range(20)]
        managers = [
            ReliabilityManager(participant_id=f"p{i}", **listening(heard[i])) for i in range(20)
        ]
        for i, manager in enumerate(managers):
            (payload,) = chain("c", f"m{i}")
            manager.unwrap(payload)
            if i % 3 == 0:
                manager.close()
        late = ReliabilityManager(participant_id="late", **listening([]))
        for i, events in enumerate(heard):
            self.assertEqual(events, [MessageReady("c", f"m{i}", f"m{i}".encode())])
        for manager in (*managers, late):
            manager.close()

    def test_an_event_of_an_unknown_type_is_ignored(self) -> None:
        receiver = _callbacks.Receiver({1: raising(Wrong())}, None, None)
        _callbacks.event_handler(pointer(SdsEvent(type=99)), receiver.user_data)
        _callbacks.event_handler(pointer(SdsEvent(type=1)), 2**62)


class Bindings(unittest.TestCase):
    def test_a_context_that_never_was_one_is_an_error(self) -> None:
        for ctx in (0, 1, 2**40 + 8, 2**64 - 1):
            with self.assertRaises(libsds.InvalidContext):
                bindings.sds_stats(ctx)
            with self.assertRaises(libsds.InvalidContext):
                bindings.sds_close(ctx)

    def test_a_context_can_be_used_without_callbacks(self) -> None:
        ctx = bindings.sds_open("alice")
        self.assertGreater(len(bindings.sds_wrap(ctx, "c", "m", b"x")), 1)
        bindings.sds_close(ctx)

    def test_every_status_has_words(self) -> None:
        words = {bindings.sds_status_string(status) for status in libsds.Status}
        self.assertGreaterEqual(len(words), 12)
        self.assertEqual(bindings.sds_status_string(libsds.Status.ERR_DESERIALIZATION), "not an SDS message")
        bindings.sds_status_string(-1)


if __name__ == "__main__":
    unittest.main()
