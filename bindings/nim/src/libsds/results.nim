## What a call gives: a value, or an error and no value.
##
## The type and the procedures that users of nim-sds know from the package `results`, as
## far as the API of nim-sds calls for them; hosts that have the package compile with
## `-d:libsdsResults`, which puts its `Result` in place of this one.

type
  Result*[T, E] = object
    ## A `T`, or an `E` that says why there is none. `T` may be `void`.
    when T is void:
      case isOkImpl: bool
      of true: discard
      of false: errorImpl: E
    else:
      case isOkImpl: bool
      of true: valueImpl: T
      of false: errorImpl: E

  ResultError*[E] = object of ValueError
    ## `tryGet` found no value.
    error*: E

  ResultDefect* = object of Defect
    ## A value, or an error, that is not there was asked for.

template ok*[T: not void, E](R: type Result[T, E], value: untyped): R =
  ## A result that has the value: `Result[int, string].ok(42)`.
  R(isOkImpl: true, valueImpl: value)

template ok*[E](R: type Result[void, E]): R =
  R(isOkImpl: true)

template err*[T, E](R: type Result[T, E], problem: untyped): R =
  ## A result that has none, and why.
  R(isOkImpl: false, errorImpl: problem)

template ok*(value: untyped): auto =
  ## The same, of the type that the enclosing procedure returns.
  ok(typeof(result), value)

template ok*(): auto =
  ok(typeof(result))

template err*(problem: untyped): auto =
  err(typeof(result), problem)

func isOk*[T, E](self: Result[T, E]): bool = self.isOkImpl
func isErr*[T, E](self: Result[T, E]): bool = not self.isOkImpl

func missing[T, E](self: Result[T, E], words: string) {.noreturn, noinline.} =
  when compiles($self.errorImpl):
    if not self.isOkImpl:
      raise newException(ResultDefect, words & ": " & $self.errorImpl)
  raise newException(ResultDefect, words)

func get*[E](self: Result[void, E]) =
  ## Nothing; a `ResultDefect` where something went wrong.
  if not self.isOkImpl:
    self.missing("a result without a value was asked for it")

func get*[T: not void, E](self: sink Result[T, E]): T =
  ## The value; a `ResultDefect` where there is none.
  if not self.isOkImpl:
    self.missing("a result without a value was asked for it")
  var own = self # a payload is not copied where nobody needs the result any more
  result = move own.valueImpl

func get*[T: not void, E](self: Result[T, E], otherwise: T): T =
  if self.isOkImpl: self.valueImpl else: otherwise

func value*[T, E](self: sink Result[T, E]): T =
  ## As `get`.
  self.get()

func expect*[T, E](self: sink Result[T, E], words: string): T =
  ## As `get`, with these words in the defect.
  if not self.isOkImpl:
    self.missing(words)
  self.get()

func tryGet*[T, E](self: sink Result[T, E]): T =
  ## The value, or a `ResultError` raised.
  if not self.isOkImpl:
    var problem = (ref ResultError[E])(error: self.errorImpl)
    when compiles($self.errorImpl):
      problem.msg = $self.errorImpl
    raise problem
  self.get()

func error*[T, E](self: Result[T, E]): E =
  ## Why there is no value; a `ResultDefect` where there is one.
  if self.isOkImpl:
    self.missing("a result with a value was asked for its error")
  self.errorImpl

template valueOr*[T: not void, E](self: Result[T, E], otherwise: untyped): T =
  ## The value, or else what the block gives or does, in which `error` says why:
  ##
  ## ```nim
  ## let payload = rm.wrapOutgoingMessage(content, id, channel).valueOr:
  ##   echo error
  ##   return
  ## ```
  block:
    let outcome = self
    if outcome.isOk:
      outcome.get()
    else:
      let error {.inject, used.} = outcome.error()
      otherwise

template isOkOr*[E](self: Result[void, E], otherwise: untyped) =
  ## Runs the block where something went wrong; `error` says what.
  block:
    let outcome = self
    if outcome.isErr:
      let error {.inject, used.} = outcome.error()
      otherwise

template `?`*[T, E](self: Result[T, E]): auto =
  ## The value, or else the enclosing procedure returns the error.
  let outcome = self
  if outcome.isErr:
    return err(typeof(result), outcome.error())
  when T isnot void:
    outcome.get()

func `==`*[T, E](a, b: Result[T, E]): bool =
  if a.isOkImpl != b.isOkImpl:
    false
  elif not a.isOkImpl:
    a.errorImpl == b.errorImpl
  else:
    when T is void: true
    else: a.valueImpl == b.valueImpl

func `$`*[T, E](self: Result[T, E]): string =
  if not self.isOkImpl:
    "err(" & $self.errorImpl & ")"
  else:
    when T is void: "ok()"
    else: "ok(" & $self.valueImpl & ")"
