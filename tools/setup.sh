#!/bin/sh
# Make .venv in the repository root, with `lymer` in .venv/bin, and for `dev` `certwright` too.
#
#   tools/setup.sh run    what lymer needs
#   tools/setup.sh dev    that, certwright, and what tests and linters need
#
# Needs Python >= 3.11 and a package index that pip can reach; nothing else. A second call looks at
# file times only and ends at once. PYTHON=/path/to/python chooses the interpreter.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
wanted=${1:-dev}
venv=.venv
run_stamp=$venv/.lymer-run
dev_stamp=$venv/.lymer-dev
ui_built=packages/lymer/src/lymer/ui/dist/index.html

say() { printf '%s\n' "lymer setup: $*" >&2; }
fail() { printf '%s\n' "lymer setup: $*" >&2; exit 1; }

# True when some file below the arguments after the first is newer than the first.
anything_newer() {
    stamp=$1
    shift
    [ -n "$(find "$@" -name node_modules -prune -o -name dist -prune -o -type f -newer "$stamp" -print 2>/dev/null | head -n 1)" ]
}

run_is_fresh() {
    [ -f "$run_stamp" ] && [ -x "$venv/bin/lymer" ] || return 1
    [ ! -f packages/lymer/hatch_build.py ] || [ -f "$ui_built" ] || return 1
    ! anything_newer "$run_stamp" requirements/runtime.txt packages/lymer/pyproject.toml \
        packages/lymer/hatch_build.py packages/lymer/ui
}

dev_is_fresh() {
    [ -f "$dev_stamp" ] && [ -x "$venv/bin/certwright" ] &&
        ! anything_newer "$dev_stamp" requirements/dev.txt requirements/certwright.txt \
            packages/certwright/pyproject.toml
}

python_is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.14 python3.11 python; do
        if command -v "$candidate" >/dev/null 2>&1 && python_is_new_enough "$candidate"; then
            command -v "$candidate"
            return 0
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3")
    say "cannot make .venv: Lymer needs Python 3.11 or newer, and PATH has $found"
    say "  Debian 12+, Ubuntu 24.04+:  sudo apt install python3 python3-venv"
    say "  macOS:                      brew install python@3.13"
    say "  elsewhere:                  set PYTHON=/path/to/python3.11 and try again"
    return 1
}

# Make an empty environment with pip in it, by the first way this machine knows.
make_venv() {
    python=$1
    rm -rf "$venv"
    if "$python" -c 'import ensurepip, venv' 2>/dev/null && "$python" -m venv "$venv" 2>/dev/null; then
        return 0
    fi
    rm -rf "$venv"
    if command -v uv >/dev/null 2>&1 && uv venv --quiet --seed --python "$python" "$venv"; then
        return 0
    fi
    if "$python" -m virtualenv --quiet "$venv" 2>/dev/null; then
        return 0
    fi
    bootstrap=$(mktemp -d)
    if "$python" -m pip install --quiet --target "$bootstrap" virtualenv 2>/dev/null &&
        PYTHONPATH=$bootstrap "$python" -m virtualenv --quiet "$venv"; then
        rm -rf "$bootstrap"
        return 0
    fi
    rm -rf "$bootstrap" "$venv"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "cannot make .venv: $python has neither ensurepip nor pip, and there is no uv"
    fail "  on Debian and Ubuntu: sudo apt install python3-venv   (or python$version-venv)"
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

if ! run_is_fresh; then
    if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 ||
        ! python_is_new_enough "$venv/bin/python"; then
        python=$(find_python)
        say "making .venv with $("$python" --version)"
        make_venv "$python"
    fi
    if ! [ -f "$run_stamp" ] || anything_newer "$run_stamp" requirements/runtime.txt; then
        say "installing what lymer needs, about 220 MB (the embedded database engine is most of it)"
        # All of it, and no more: the engine's metadata asks for 70 MB that nothing imports.
        pip_install --no-deps -r requirements/runtime.txt
    fi
    say "installing lymer, with its web interface (Node is fetched for that if it has to be built)"
    pip_install --no-deps --editable packages/lymer
    : >"$run_stamp"
fi

if [ "$wanted" = dev ] && ! dev_is_fresh; then
    say "installing certwright, and what tests and linters need"
    pip_install -r requirements/certwright.txt -r requirements/dev.txt
    pip_install --no-deps --editable packages/certwright
    : >"$dev_stamp"
fi
