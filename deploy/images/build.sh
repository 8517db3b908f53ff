#!/bin/sh
# Build the images with whatever builder there is: docker, podman, buildah or kaniko's executor.
#
#   deploy/images/build.sh [PREFIX]     PREFIX/lymer:VERSION, PREFIX/certwright-controller:VERSION, ...
#
# Each image is also written to dist/images/NAME.tar, where `make airgap` takes it from; SAVE=0 leaves that out.
# BUILDER chooses one; BASE another base image; PUSH=1 pushes. Where containers cannot be made (in a container of
# one's own, say) buildah works with BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs.
set -eu
cd "$(dirname "$0")/../.."

prefix=${1:-localhost}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' packages/lymer/src/lymer/__init__.py)
builder=${BUILDER:-}
if [ -z "$builder" ]; then
    for candidate in docker podman buildah /kaniko/executor executor; do
        # docker's command is often there without its daemon.
        if command -v "$candidate" >/dev/null 2>&1 && { [ "$candidate" != docker ] || docker info >/dev/null 2>&1; }; then
            builder=$candidate
            break
        fi
    done
fi
[ -n "$builder" ] || { echo "images: none of docker (with its daemon), podman, buildah, kaniko is here; set BUILDER" >&2; exit 1; }

base=${BASE:+--build-arg=BASE=$BASE}
one() {
    file=$1 target=$2 name=$prefix/$2:$version
    echo "images: $name"
    case ${builder##*/} in
    docker) docker build ${base} --build-arg "VERSION=$version" -f "$file" --target "$target" -t "$name" . ;;
    podman) podman build --format docker ${base} --build-arg "VERSION=$version" -f "$file" --target "$target" -t "$name" . ;;
    buildah) buildah build --layers --format docker ${base} --build-arg "VERSION=$version" -f "$file" --target "$target" -t "$name" . ;;
    *executor) "$builder" --context "dir://$PWD" ${base} --build-arg "VERSION=$version" --dockerfile "$file" --target "$target" \
        --destination "$name" $([ -n "${PUSH:-}" ] || echo "--no-push --tar-path=dist/images/$target.tar") ;;
    *) echo "images: I do not know how to ask $builder" >&2; exit 1 ;;
    esac
    if [ "${SAVE:-1}" != 0 ]; then
        case ${builder##*/} in
        docker) docker save -o "dist/images/$target.tar" "$name" ;;
        podman) rm -f "dist/images/$target.tar" && podman save --format docker-archive -o "dist/images/$target.tar" "$name" ;;
        buildah) rm -f "dist/images/$target.tar" && buildah push "$name" "docker-archive:dist/images/$target.tar:$name" ;;
        esac
    fi
    if [ -n "${PUSH:-}" ]; then
        case ${builder##*/} in docker | podman | buildah) "$builder" push "$name" ;; esac
    fi
}

mkdir -p dist/images
one deploy/images/Containerfile.lymer lymer
for target in controller webhook cainjector acmesolver ctl; do
    one deploy/images/Containerfile.certwright "certwright-$target"
done
