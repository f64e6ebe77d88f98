# Reads what cargo test and node --test printed, and prints what became of their tests, a line each:
#
#   passed COUNT         so many tests passed
#   failed NAME          a test failed, or a runner ended without a summary
#   skipped NAME: WHY    a runner left a test out
#   ran NAME             a test of cargo passed or failed
#
# Counts come from the runners' own summaries. A failure whose name was not seen gets a line all the
# same, so that there are as many `failed` lines as failed tests.

function failed(name) {
  named++
  print "failed " name
}

function summary(passed, failures, runner) {
  if (passed > 0) print "passed " passed
  while (named < failures) failed("a test of " runner)
  named = 0
}

# A runner of cargo that printed no summary has crashed.
function previous_runner_ends() {
  if (runner != "") print "failed " runner " (it ended without a summary)"
  runner = ""
  named = 0
}

# Node names its failures after its counts.
function node_ends() {
  if (failures > 0) summary(0, failures, "node")
  failures = listed = 0
}

# Colours say nothing here.
{ gsub(/\033\[[0-9;]*m/, "") }

# cargo test: `Running unittests src/lib.rs (target/…)`, `test NAME ... ok`, `test result: ok. 3 passed; …`
/^ +Running .* \(.*\)$/ || /^ +Doc-tests / {
  previous_runner_ends()
  runner = $0
  sub(/^ +(Running )?/, "", runner)
}
/^test .* \.\.\. (ok|FAILED|ignored)/ {
  name = why = $0
  sub(/^test /, "", name)
  sub(/( - should panic)? \.\.\. (ok|FAILED|ignored).*/, "", name)
  sub(/.* \.\.\. (ok|FAILED|ignored)(, )?/, "", why)
  if (/ \.\.\. ignored/) print "skipped " name ": " (why == "" ? "ignored" : why)
  else print "ran " name
  if (/ \.\.\. FAILED/) failed(name)
}
/^test result: / {
  summary($4, $6, runner == "" ? "cargo" : runner)
  runner = ""
}

# node --test --test-reporter=spec: `﹣ NAME (0.1ms) # WHY`, then `ℹ pass 3` and so on, and at the
# end the failures by name.
/^ *﹣ .* \([0-9.]+ms\)/ {
  name = why = $0
  sub(/^ *﹣ /, "", name)
  sub(/ \([0-9.]+ms\).*/, "", name)
  sub(/.* \([0-9.]+ms\)( # )?(SKIP)?/, "", why)
  print "skipped " name ": " (why == "" ? "skipped" : why)
}
/^ℹ tests [0-9]/ { node_ends() }
/^ℹ pass [0-9]/ { summary($3, 0) }
/^ℹ (fail|cancelled) [0-9]/ { failures += $3 }
/^✖ failing tests:/ { listed = 1 }
/^✖ .* \([0-9.]+ms\)/ && listed && named < failures {
  sub(/^✖ /, "")
  sub(/ \([0-9.]+ms\).*/, "")
  failed($0)
}

# The pages of the sketches: `page NAME ... ok`
/^page .* \.\.\. ok$/ { print "passed 1" }
/^page .* \.\.\. FAILED/ {
  sub(/ \.\.\. FAILED.*/, "")
  print "failed " $0
}

END {
  node_ends()
  previous_runner_ends()
}
