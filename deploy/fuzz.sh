#!/usr/bin/env bash
# Runs every fuzz target below the present directory, one after the other: deploy/fuzz.sh TIME.
# PARALLEL (all cores) is the number of workers of each.
#
# Up to Go 1.26 a target that is stopped by its time may end in FAIL with nothing but "context deadline
# exceeded": the tool's own race (https://go.dev/issue/75804, mended in 1.27). It says so where it found
# nothing; what it does find is written to testdata/fuzz, and fails here as it should.
set -euo pipefail
time=${1:?give the time for each target, such as 30s}
parallel=${PARALLEL:+-parallel $PARALLEL}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
while IFS=: read -r file line; do
  target=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]+).*/\1/' <<<"$line")
  dir=$(dirname "$file")
  echo "$dir $target"
  # shellcheck disable=SC2086 # two words or none
  if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5s $parallel "$dir" </dev/null 2>&1 | tee "$log"; then
    continue
  fi
  # Nothing but the lines of progress, the one error, and the verdict.
  if grep -q '^    context deadline exceeded$' "$log" &&
     ! grep -vqE '^(fuzz: |warning: |--- FAIL: |    context deadline exceeded$|FAIL|exit status 1$)' "$log"; then
    echo "$dir $target: found nothing; its end was too late for the tool (go.dev/issue/75804)"
    continue
  fi
  status=1
done < <(grep -rHE '^func Fuzz[A-Z]' --include='*_test.go' . | sort)
exit $status
