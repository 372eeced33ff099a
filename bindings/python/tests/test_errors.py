"""The exceptions."""

import copy
import pickle
import unittest

import libsds
from libsds import SdsError, Status, errors

TWINS = {
    libsds.InvalidArgument: ValueError,
    libsds.OutOfMemory: MemoryError,
    libsds.InternalError: RuntimeError,
    libsds.SerializationError: ValueError,
    libsds.NotSds: ValueError,
    libsds.MessageTooLarge: ValueError,
    libsds.PersistenceError: OSError,
    libsds.LimitExceeded: RuntimeError,
    libsds.InvalidContext: ValueError,
    libsds.Forked: RuntimeError,
}


class Errors(unittest.TestCase):
    def test_every_status_of_a_native_function_has_a_class_with_a_builtin_twin(self) -> None:
        statuses = set(Status) - {Status.OK, Status.ERR, Status.ERR_MISSING_CALLBACK}
        self.assertEqual({cls.status for cls in TWINS}, statuses)
        for cls, twin in TWINS.items():
            error = errors.error_of(cls.status, "libsds error: words")
            self.assertIs(type(error), cls)
            self.assertIsInstance(error, SdsError)
            self.assertIsInstance(error, twin)
            self.assertEqual(error.status, cls.status)
            self.assertTrue(str(error).startswith("libsds error: words"))

    def test_a_status_that_is_newer_than_the_package_is_an_error_with_its_number(self) -> None:
        error = errors.error_of(77, "libsds error: new")
        self.assertIs(type(error), SdsError)
        self.assertEqual((error.status, str(error)), (77, "libsds error: new"))

    def test_errors_survive_pickling_and_copying(self) -> None:
        for status in (*(cls.status for cls in TWINS), 77):
            error = errors.error_of(status, "libsds error: words")
            for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertIs(type(other), type(error))
                self.assertEqual((other.status, str(other)), (error.status, str(error)))

    def test_a_missing_library_is_an_import_error(self) -> None:
        self.assertTrue(issubclass(libsds.LibraryNotFound, ImportError))


if __name__ == "__main__":
    unittest.main()
