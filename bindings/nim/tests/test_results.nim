import std/unittest
import libsds/results

proc half(number: int): Result[int, string] =
  if number mod 2 == 0: ok(number div 2) else: err("odd")

proc quarter(number: int): Result[int, string] =
  ok(half(?half(number)).get(0))

proc even(number: int): Result[void, string] =
  discard ?half(number)
  ok()

proc orMinusOne(number: int): int =
  let got = half(number).valueOr:
    return (if error == "odd": -1 else: -2)
  got

suite "results":
  test "a result has a value or an error":
    check half(4).isOk and not half(4).isErr and half(4).get() == 2 and half(4).value == 2
    check half(3).isErr and not half(3).isOk and half(3).error == "odd"
    check even(2).isOk and even(3).error == "odd"
    check half(4) == Result[int, string].ok(2) and half(3) == Result[int, string].err("odd") and half(4) != half(3)
    check $half(4) == "ok(2)" and $half(3) == "err(odd)" and $even(2) == "ok()"

  test "what is not there has a substitute":
    check half(3).get(7) == 7 and half(4).get(7) == 2
    check orMinusOne(4) == 2 and orMinusOne(3) == -1
    let nine = half(3).valueOr:
      9
    check nine == 9
    var said = ""
    even(3).isOkOr:
      said = error
    even(2).isOkOr:
      said = "wrong"
    check said == "odd"

  test "a question mark returns the error":
    check quarter(8).get() == 2 and quarter(3).error == "odd" and quarter(2).get() == 0

  test "to take what is not there is a defect":
    expect ResultDefect: discard half(3).get()
    expect ResultDefect: discard half(4).error
    expect ResultDefect: even(3).get()
    expect ResultDefect: discard half(3).expect("a half")
    check half(4).expect("a half") == 2

  test "a try raises what went wrong":
    check half(4).tryGet() == 2
    try:
      discard half(3).tryGet()
      check false
    except ResultError[string] as problem:
      check problem.error == "odd" and problem.msg == "odd"
