## Prints a line for each test, as the tests of the library do.
import std/[strutils, unittest]

const variant {.strdefine.} = "nim"

type Reporter = ref object of OutputFormatter
  failures: string

method failureOccurred*(reporter: Reporter, checkpoints: seq[string], stackTrace: string) {.gcsafe.} =
  reporter.failures.add indent(checkpoints.join("\n") & "\n" & stackTrace, 8)

method testEnded*(reporter: Reporter, outcome: TestResult) {.gcsafe.} =
  let passed = outcome.status == TestStatus.OK
  echo "--- ", (if passed: "PASS" else: "FAIL"), ": nim/", variant, "/", outcome.testName.replace(' ', '_')
  if not passed:
    echo reporter.failures
    reporter.failures = ""
  flushFile stdout

addOutputFormatter Reporter()
