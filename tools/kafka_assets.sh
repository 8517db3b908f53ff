#!/bin/sh
# Put the jars of a Kafka broker into a folder, for Lymer's tests, and print its path.
#
# They come by Maven (43 MB, once) and are checked against tools/kafka_assets.sha256. Needs mvn and,
# to run them, Java 17. The folder is $LYMER_KAFKA_ASSETS, or one below the user's cache.
set -eu

version=4.1.1
folder=${LYMER_KAFKA_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/lymer/kafka-$version}
sums=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/kafka_assets.sha256

if ! [ -f "$folder/done" ]; then
    command -v mvn >/dev/null || { echo "kafka assets: no mvn on PATH (Debian: apt install maven)" >&2; exit 1; }
    mkdir -p "$folder"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lymer.test</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version>
    </dependency>
  </dependencies>
</project>
POM
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder") >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; exit 1; }
    (cd "$folder" && sha256sum --quiet -c "$sums") >&2
    touch "$folder/done"
fi
printf '%s\n' "$folder"
