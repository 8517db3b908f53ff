#!/bin/sh
# Put the definitions of Gateway API, Istio and the Prometheus operator into FOLDER/crds, for tests of
# the Helm charts against a real API server. From Go modules; the operator's are made from its types.
#
#   tools/crd_assets.sh FOLDER
set -eu

folder=$1/crds
[ ! -f "$folder/done" ] || exit 0
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

gateway=sigs.k8s.io/gateway-api@v1.2.1
istio=istio.io/api@v1.32.0
operator=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring
generator=sigs.k8s.io/controller-tools/cmd/controller-gen

place() { go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)",*/\1/p'; }

printf 'module definitions\n\ngo 1.24.0\n' >go.mod
for file in "$(place "$gateway")"/config/crd/standard/*.yaml; do
    printf -- '---\n'
    cat "$file"
done >"$folder/gateway-api.yaml"
cat "$(place "$istio")/kubernetes/customresourcedefinitions.gen.yaml" >"$folder/istio.yaml"

cat >definitions.go <<GO
package definitions

import _ "$operator/v1"
GO
go get "$operator@v0.92.1" "$generator@v0.18.0" >log 2>&1 || { tail -n 20 log >&2; exit 1; }
go run "$generator" "crd:crdVersions=v1,maxDescLen=0" "paths=$operator/v1" "output:crd:dir=$work/made" >log 2>&1 ||
    { tail -n 20 log >&2; exit 1; }
for file in made/*.yaml; do
    cat "$file"
done >"$folder/prometheus-operator.yaml"
: >"$folder/done"
