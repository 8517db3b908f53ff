#!/bin/sh
# Put an OpenSearch server into a folder, for Lymer's tests, and print its path.
#
# Its jars come by Maven (43 MB, once) and are checked against tools/opensearch_assets.sha256. Needs
# mvn and, to run them, Java 17. The folder is $LYMER_OPENSEARCH_ASSETS, or one below the user's cache.
set -eu

version=2.19.6
log4j=2.25.4
folder=${LYMER_OPENSEARCH_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/lymer/opensearch-$version}
sums=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/opensearch_assets.sha256

dependency() {
    printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>' "$@"
}

if ! [ -f "$folder/done" ]; then
    command -v mvn >/dev/null || { echo "opensearch assets: no mvn on PATH (Debian: apt install maven)" >&2; exit 1; }
    mkdir -p "$folder/lib" "$folder/modules/transport-netty4" "$folder/plugins"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lymer.test</groupId><artifactId>search</artifactId><version>1</version>
  <dependencies>
    $(dependency org.opensearch opensearch "$version")
    $(dependency org.opensearch opensearch-plugin-classloader "$version")
    $(dependency org.opensearch.plugin transport-netty4-client "$version")
    $(dependency org.apache.logging.log4j log4j-core "$log4j")
  </dependencies>
</project>
POM
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder/lib") >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; exit 1; }
    (cd "$folder/lib" && sha256sum --quiet -c "$sums") >&2
    # HTTP is a module with a class loader of its own; what describes it is in the distribution, not in the jar.
    module=$folder/modules/transport-netty4
    mv "$folder"/lib/netty-* "$folder"/lib/transport-netty4-client-* "$module"
    cat >"$module/plugin-descriptor.properties" <<DESCRIPTOR
name=transport-netty4
description=HTTP and transport
version=$version
opensearch.version=$version
java.version=11
classname=org.opensearch.transport.Netty4Plugin
DESCRIPTOR
    echo 'grant { permission java.security.AllPermission; };' >"$module/plugin-security.policy"
    touch "$folder/done"
fi
printf '%s\n' "$folder"
