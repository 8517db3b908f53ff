#!/bin/sh
# The steps of both images, for a Containerfile and for a root folder alike (deploy/images/try.sh).
#
#   steps.sh build PRODUCT SOURCE    install PRODUCT (lymer, certwright) below /opt/PRODUCT
#   steps.sh collect PRODUCT ROOT    copy what it needs, and nothing else, into ROOT
#
# Debian 12 with python3 and python3-venv. With wheels in SOURCE/wheels no package index is asked.
set -eu

product=$2
home=/opt/$product

build() {
    source=$1
    requirements=$source/requirements/certwright.txt
    [ "$product" = certwright ] || requirements=$source/requirements/runtime.txt
    python3 -m venv "$home"
    if ls "$source"/wheels/"$product"-*.whl >/dev/null 2>&1; then
        set -- --no-index --find-links "$source/wheels"
        wheel=$(ls "$source"/wheels/"$product"-*.whl)
    else
        set --
        wheel=$source/packages/$product
    fi
    # chdb-core names pandas and pyarrow for what we do not use: 300 MB that nothing here imports.
    grep -v -E '^(pandas|pyarrow|python-dateutil|tzdata|six)==' "$requirements" >"$home/requirements.txt"
    "$home/bin/pip" install --quiet --no-cache-dir --no-deps "$@" -r "$home/requirements.txt"
    "$home/bin/pip" install --quiet --no-cache-dir --no-deps "$@" "$wheel"
    # What writes the bill of materials is not of the image: an environment of its own.
    python3 -m venv "$home.sbom"
    "$home.sbom/bin/pip" install --quiet --no-cache-dir --no-deps "$@" -r "$source/requirements/image.txt"
    mkdir -p "$home/share/sbom"
    cp "$source/deploy/images/sbom.py" "$home.sbom/"
    "$home/bin/pip" uninstall --quiet --yes pip setuptools >/dev/null 2>&1 || true
    find "$home" -name tests -type d -prune -exec rm -rf {} +
    find "$home" -name '*.pyi' -delete
    # Not what auditwheel has put into *.libs: strip breaks the pages that patchelf has moved there.
    find "$home" -name '*.libs' -prune -o \( -name '*.so' -o -name '*.so.*' \) -print |
        xargs -r strip --strip-unneeded 2>/dev/null || true
    # What builds with numpy, and the other Pythons' doors of the engine.
    rm -rf "$home"/lib/python3.*/site-packages/numpy/f2py "$home"/lib/python3.*/site-packages/numpy/distutils \
        "$home"/lib/python3.*/site-packages/numpy/_core/include
    find "$home" -name '*.a' -delete
    this=$("$home/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    find "$home" -name 'libpybind11nonlimitedapi_chdb_3.*.so' ! -name "*_$this.so" -delete
    # The root file system is read-only: what is not compiled now is compiled at each start.
    "$home/bin/python3" -m compileall -q -j 2 "$home/lib" >/dev/null || true
    "$home/bin/$product" --version
}

# Copy a file and the links that lead to it.
take() {
    for path; do
        while [ -L "$path" ]; do
            mkdir -p "$root$(dirname "$path")"
            cp -P "$path" "$root$path"
            target=$(readlink "$path")
            case $target in
            /*) path=$target ;;
            *) path=$(dirname "$path")/$target ;;
            esac
        done
        [ ! -e "$path" ] || { mkdir -p "$root$(dirname "$path")" && cp -a "$path" "$root$(dirname "$path")/"; }
    done
}

libraries() {
    find "$@" -type f \( -name '*.so' -o -name '*.so.*' -o -perm -u+x \) -print0 |
        xargs -0 -r -n 50 ldd 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/lib[^ ]*ld-[^ ]*\) .*/\1/p' |
        sort -u
}

# Libraries of the parts of Python that are left out below.
unneeded='/lib(ncursesw|panelw|tinfo|readline|nsl|tirpc|gssapi_krb5|krb5|krb5support|k5crypto|com_err|keyutils|db-5.3)[.-]'

# Bytecode beside its source is read, bytecode in its place needs none: a sixth of the image. Ours keeps its own, whose
# comments describe the settings, and whose lines a traceback shows.
sourceless() {
    site=$1$(echo "$home"/lib/python3.*/site-packages)
    for place in "$1/usr/lib/$version" "$site"; do
        "$python" -m compileall -q -f -b -s "$1" -x "site-packages/$product/" "$place" >/dev/null 2>&1 || true
        find "$place" -path "$site/$product" -prune -o -name '*.py' -print |
            while read -r file; do [ ! -e "${file}c" ] || rm "$file"; done
        find "$place" -path "$site/$product" -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
    done
}

collect() {
    root=$1
    mkdir -p "$root"
    python=$(readlink -f /usr/bin/python3)
    version=${python##*/}
    # Debian 12 has /bin, /lib, /lib64 and /sbin as links into /usr.
    for name in bin lib sbin lib64; do
        mkdir -p "$root/usr/$name"
        ln -sfn "usr/$name" "$root/$name"
    done
    take /usr/bin/python3 "$python"
    mkdir -p "$root/usr/lib/$version"
    (cd "/usr/lib/$version" && tar --exclude=./test --exclude=./idlelib --exclude=./lib2to3 --exclude=./ensurepip \
        --exclude=./tkinter --exclude=./turtledemo --exclude=./pydoc_data --exclude='./config-*' -cf - .) |
        tar -xf - -C "$root/usr/lib/$version"
    [ ! -d /usr/lib/python3 ] || mkdir -p "$root/usr/lib/python3/dist-packages"
    mkdir -p "$root/opt"
    cp -a "$home" "$root/opt/"
    for library in $(libraries "$python" "$home") $(libraries "/usr/lib/$version/lib-dynload" | grep -v -E "$unneeded"); do
        case $library in
        /opt/*) ;;
        *) take "$library" ;;
        esac
    done
    # Loaded by name, so no file names them: name service, and the unwinder that threads end with.
    for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2 libgcc_s.so.1; do
        for place in /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
            [ ! -e "$place/$library" ] || take "$place/$library"
        done
    done
    take /etc/ssl/certs/ca-certificates.crt /etc/ssl/openssl.cnf /usr/lib/ssl /etc/os-release
    # Renewal windows name time zones.
    if [ "$product" = certwright ]; then
        mkdir -p "$root/usr/share/zoneinfo"
        (cd /usr/share/zoneinfo && tar --exclude=./right --exclude=./posix -cf - .) | tar -xf - -C "$root/usr/share/zoneinfo"
    fi
    mkdir -p "$root/etc" "$root/tmp" "$root/data"
    chmod 1777 "$root/tmp"
    printf 'root:x:0:0::/:/nonexistent\n%s:x:65532:65532::/tmp:/nonexistent\n' "$product" >"$root/etc/passwd"
    printf 'root:x:0:\n%s:x:65532:\n' "$product" >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    chown 65532:65532 "$root/data"
    "$home.sbom/bin/python3" "$home.sbom/sbom.py" "$home" "$root" "$root$home/share/sbom/$product.cdx.json"
    # What no part of ours loads, with the libraries that only it needs: tests, terminals, sound, NIS, Berkeley DB.
    (cd "$root/usr/lib/$version/lib-dynload" && rm -f _test*.so _ctypes_test*.so _xxtest*.so xx*.so _curses*.so readline*.so \
        nis*.so ossaudiodev*.so _dbm*.so)
    sourceless "$root"
}

case $1 in
build) build "$3" ;;
collect) collect "$3" ;;
esac
