#!/bin/sh
# Put the jars of a Cassandra into a folder, for Lymer's tests, and print its path.
#
# They come by Maven (63 MB, once) and are checked against tools/cassandra_assets.sha256. Needs mvn
# and, to run them, Java 17. The folder is $LYMER_CASSANDRA_ASSETS, or one below the user's cache.
set -eu

version=5.0.9
folder=${LYMER_CASSANDRA_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/lymer/cassandra-$version}
sums=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/cassandra_assets.sha256

if ! [ -f "$folder/done" ]; then
    command -v mvn >/dev/null || { echo "cassandra assets: no mvn on PATH (Debian: apt install maven)" >&2; exit 1; }
    mkdir -p "$folder"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lymer.test</groupId><artifactId>cassandra</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder" \
        -DexcludeClassifiers=osx-x86_64,osx-aarch_64,windows-x86_64,linux-riscv64) >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; exit 1; }
    (cd "$folder" && sha256sum --quiet -c "$sums") >&2
    touch "$folder/done"
fi
printf '%s\n' "$folder"
