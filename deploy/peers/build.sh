#!/usr/bin/env bash
# Builds the peers outside the tree, once: a second run with the same sources takes
# a moment. Needs Maven and a JDK of 17 or later; Maven fetches what the peers are
# made of and checks it against the repository's checksums.
#
#   TIDEMARK_CACHE   where they go  (default ${XDG_CACHE_HOME:-~/.cache}/tidemark)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/peers

die() { printf 'peers: %s\n' "$*" >&2; exit 1; }

command -v mvn >/dev/null || die "mvn is not on the PATH. Install Maven (Debian: apt-get install maven) and run again"
command -v javac >/dev/null || die "javac is not on the PATH. Install a JDK of 17 or later (Debian: apt-get install openjdk-17-jdk-headless) and run again"

mkdir -p "$out"
exec 9>"$out/lock" # one at a time: two checkouts may share the cache
flock 9
sources=$(cd "$here" && find . -type f \( -name pom.xml -o -name '*.java' \) -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
if [ "$sources" = "$(cat "$out/complete" 2>/dev/null)" ]; then exit 0; fi
echo "peers: building Kafka Streams and Flink programs into $out" >&2
rm -rf "$out/complete" "$out/job" "$out/kafka-streams" "$out/flink"
mvn --batch-mode --quiet --strict-checksums --file "$here/pom.xml" "-Dpeers.out=$out" package ||
  die "Maven could not build them; its messages are above"
printf '%s\n' "$sources" >"$out/complete"
