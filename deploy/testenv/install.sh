#!/usr/bin/env bash
# Installs what the tests' real servers need: Java 17 or later, redis-server 7
# or later, Prometheus (with promtool, for the alert rules), curl, a C compiler (by apt-get) and Kafka's jars (from Maven Central, each checked against
# its SHA-256 in kafka-<version>.sha256). What is there already is left alone,
# so a second run takes a moment.
#
#   TIDEMARK_CACHE   where the jars go  (default ${XDG_CACHE_HOME:-~/.cache}/tidemark)
#   TIDEMARK_MAVEN   where they come from (default https://repo1.maven.org/maven2)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}
maven=${TIDEMARK_MAVEN:-https://repo1.maven.org/maven2}
maven=${maven%/}

say() { printf 'servers: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

java_major() {
  command -v java >/dev/null || { echo 0; return; }
  java -version 2>&1 | sed -nE '1,3s/.* version "([0-9]+).*/\1/p' | head -n 1
}

# apt_get waits for another apt's locks; the loop also covers a weak network.
apt_get() {
  local try
  for try in 1 2 3 4 5; do
    if DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null; then
      return 0
    fi
    [ "$try" -eq 5 ] || { say "apt-get $1 did not work, trying again in $((try * 5)) s"; sleep $((try * 5)); }
  done
  die "apt-get $* did not work in 5 tries (its messages are above)"
}

# Installs packages without letting apt start any service, now or at the next
# boot: the tests run their own servers, and the machine's state is not ours to change.
apt_install() {
  say "installing $*"
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt_get install -y --no-install-recommends "$@"
  local service
  for service in redis-server prometheus; do
    case " $* " in
      *" $service "*) systemctl disable "$service.service" >/dev/null 2>&1 || true ;; # no systemd, no service
    esac
  done
}

# Java 17 suits both Kafka versions; newer Debians only have a later one.
java_package() {
  local v
  for v in 17 21 25; do
    if apt-cache show "openjdk-$v-jre-headless" >/dev/null 2>&1; then
      echo "openjdk-$v-jre-headless"
      return
    fi
  done
  die "apt has no openjdk 17, 21 or 25. Install a Java 17 or later by hand and run again"
}

has_java() { [ "$(java_major)" -ge 17 ] 2>/dev/null; }

wanted=()
command -v redis-server >/dev/null || wanted+=(redis-server)
{ command -v prometheus && command -v promtool; } >/dev/null || wanted+=(prometheus)
command -v curl >/dev/null || wanted+=(curl ca-certificates)
command -v "${CC:-gcc}" >/dev/null || wanted+=(gcc libc6-dev) # go test -race needs a C compiler
command -v python3 >/dev/null || wanted+=(python3) # an example in README is in Python
if [ ${#wanted[@]} -gt 0 ] || ! has_java; then
  missing=${wanted[*]}
  has_java || missing="$missing openjdk-17-jre-headless"
  command -v apt-get >/dev/null || die "this machine has no apt-get. Install by hand and run again: $missing"
  [ "$(id -u)" -eq 0 ] ||
    die "not root, so cannot install. Run once: sudo apt-get update && sudo apt-get install --no-install-recommends $missing"
  apt_get update
  if ! has_java; then
    jre=$(java_package) || exit 1
    wanted+=("$jre")
  fi
  apt_install "${wanted[@]}"
  has_java || die "the java on the PATH is older than 17: $(command -v java). Put a later one first and run again"
fi

# fetch_jar SHA256 PATH DIR: one jar, moved into place only when it is whole.
# After one failure the rest is left: what fails one jar mostly fails them all.
fetch_jar() {
  local sum=$1 path=$2 dir=$3 file part
  file=$dir/${path##*/}
  [ ! -e "$dir/.failed" ] || return 1
  [ ! -f "$file" ] || return 0
  part=$(mktemp "$dir/.part.XXXXXX")
  if ! curl -fsSL --retry 3 --retry-delay 2 --retry-all-errors --connect-timeout 20 --max-time 300 \
    -o "$part" "$maven/$path"; then
    rm -f "$part"
    touch "$dir/.failed"
    printf 'servers: cannot download %s/%s\n' "$maven" "$path" >&2
    return 1
  fi
  if ! printf '%s  %s\n' "$sum" "$part" | sha256sum --check --status; then
    rm -f "$part"
    touch "$dir/.failed"
    printf 'servers: %s/%s does not have the expected SHA-256 %s\n' "$maven" "$path" "$sum" >&2
    return 1
  fi
  chmod 644 "$part"
  mv -f "$part" "$file"
}
export -f fetch_jar
export maven

# Kafka <version>: `complete` holds a copy of the list once every jar is there,
# so that an interrupted run is picked up and an edited list is noticed.
install_kafka() {
  local version=$1 list=$here/kafka-$1.sha256 libs=$cache/kafka-$1/libs
  local complete=$cache/kafka-$1/complete
  cmp -s "$list" "$complete" && return 0
  say "Kafka $version: $(wc -l <"$list") jars into $libs"
  mkdir -p "$libs"
  rm -f "$libs"/.part.* "$libs/.failed"
  # A jar that the list no longer names would still be on the class path, and
  # one that does not have its sum any more must be fetched again.
  local file
  for file in "$libs"/*.jar; do
    [ -e "$file" ] || continue
    if ! grep -q "^$(sha256sum "$file" | cut -d ' ' -f 1)  .*/${file##*/}\$" "$list"; then rm -f "$file"; fi
  done
  xargs -P 8 -L 1 bash -c 'fetch_jar "$1" "$2" "$0"' "$libs" <"$list" ||
    die "Kafka $version is not complete; run again, or set TIDEMARK_MAVEN to a mirror of Maven Central"
  cp "$list" "$complete.part"
  mv -f "$complete.part" "$complete"
}

mkdir -p "$cache"
exec 9>"$cache/lock" # one at a time: two checkouts may share the cache
flock 9
install_kafka 4.1.0
install_kafka 3.9.1
