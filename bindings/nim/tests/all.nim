## Every test, in one program.
{.warning[UnusedImport]: off.}
import reporter
import test_results, test_abi, test_effects, test_messages, test_callbacks, test_lifetime, test_persistence, test_conversation
when defined(posix):
  import test_fork
when compileOption("threads"):
  import test_threads
