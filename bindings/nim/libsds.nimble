version = "0.1.0"
author = "The libsds authors"
description = "End-to-end reliability for group messaging (SDS), in the shape of nim-sds"
license = "MIT or Apache-2.0"
srcDir = "src"

requires "nim >= 1.6.0"

task test, "Run the tests against the libsds.so.1 that the loader finds (LD_LIBRARY_PATH)":
  for memory in ["refc", "orc"]:
    for threads in ["off", "on"]:
      exec "nim c -r --hints:off --gc:" & memory & " --threads:" & threads &
        " --passC:-I../../include -d:variant=" & memory & "-threads-" & threads &
        " --outdir:../../build/nim --nimcache:../../build/nim/cache/" & memory & threads & " tests/all.nim"

task docs, "Render the documentation to ../../build/nim/docs":
  exec "nim doc --project --index:on --hints:off --outdir:../../build/nim/docs src/libsds.nim"
