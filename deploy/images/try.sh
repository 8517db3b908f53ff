#!/bin/sh
# Make what the images hold without a container engine, and start it there: as uid 65532, with a
# read-only root and no network but the loopback. As root, with debootstrap or a Debian 12 root in ROOT.
#
#   deploy/images/try.sh lymer|certwright [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
product=$1
work=${2:-$(mktemp -d)}
mkdir -p "$work"
base=${ROOT:-$work/root}
[ -x "$base/usr/bin/python3" ] || debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv,binutils,tzdata bookworm "$base" ${MIRROR:-}

rm -rf "$base/source" "$base/rootfs" "$base/opt/$product"
mkdir -p "$base/source"
tar --exclude=node_modules --exclude=__pycache__ --exclude='packages/*/tests' -cf - packages requirements deploy $(ls -d wheels 2>/dev/null || true) |
    tar -xf - -C "$base/source"
# The build may ask the machine's package index; the image may not.
mkdir -p "$base/etc/ssl/certs"
cp /etc/resolv.conf "$base/etc/resolv.conf"
[ ! -f "${PIP_CERT:-}" ] || { mkdir -p "$base$(dirname "$PIP_CERT")" && cp "$PIP_CERT" "$base$PIP_CERT"; }
mount -t proc proc "$base/proc" 2>/dev/null || true
trap 'umount "$base/proc" 2>/dev/null || true' EXIT
chroot "$base" sh /source/deploy/images/steps.sh build "$product" /source
chroot "$base" sh /source/deploy/images/steps.sh collect "$product" /rootfs
image=$base/rootfs
du -sm "$image" "$image/opt/$product" | sed 's/\t/ MB /'

# Name spaces of its own for mounts, network and processes; the root is read-only, /tmp and /data are not.
cat >"$work/run.py" <<'PY'
import ctypes, os, sys
# chroot, then the user, then the program: the image has no shell and no env to do it with.
image, product, *command = sys.argv[1:]
os.chroot(image)
os.chdir("/")
os.setgroups([])
os.setgid(65532)
os.setuid(65532)
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # no new privileges
path = f"/opt/{product}/bin:/usr/bin"
os.execvpe(command[0], command, {"PATH": path, "LANG": "C.UTF-8", "HOME": "/tmp", "PYTHONUNBUFFERED": "1"})
PY
in_image() {
    unshare --mount --net --pid --fork sh -eu -c '
        image=$1; product=$2; script=$3; shift 3
        mount --bind "$image" "$image"; mount -o remount,ro,bind "$image"
        mount -t tmpfs tmpfs "$image/tmp"; mount -t tmpfs -o uid=65532,gid=65532 tmpfs "$image/data"
        ip link set lo up
        PATH=/opt/$product/bin:/usr/bin:$PATH exec python3 "$script" "$image" "$product" "$@"' sh "$image" "$product" "$work/run.py" "$@"
}
in_image "$product" --version
if [ "$product" = lymer ]; then
    in_image python3 -c "
import json, os, subprocess, time, urllib.request
server = subprocess.Popen(['lymer', 'all-in-one', '--listen-host', '0.0.0.0', '--data-dir', '/data'])
def get(url, data=None, **headers):
    return json.load(urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=5))
for _ in range(300):
    try:
        get('http://127.0.0.1:13133/status'); break
    except OSError:
        time.sleep(0.1)
span = {'traceId': '0af7651916cd43dd8448eb211c80319c', 'spanId': 'b7ad6b7169203331', 'name': 'in an image', 'kind': 1,
        'startTimeUnixNano': str(time.time_ns()), 'endTimeUnixNano': str(time.time_ns() + 1000)}
resource = {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'image'}}]}
get('http://127.0.0.1:4318/v1/traces', json.dumps({'resourceSpans': [{'resource': resource, 'scopeSpans': [{'spans': [span]}]}]}).encode(),
    **{'Content-Type': 'application/json'})
for _ in range(100):
    try:
        print('found:', get('http://127.0.0.1:16686/api/traces/0af7651916cd43dd8448eb211c80319c')['data'][0]['spans'][0]['operationName']); break
    except OSError:
        time.sleep(0.1)
else:
    raise SystemExit('the trace is not found')
try:
    open('/etc/x', 'w'); raise SystemExit('the root can be written')
except OSError as error:
    print('root:', error.strerror, 'uid:', os.getuid())
server.terminate(); raise SystemExit(server.wait(30))
"
else
    in_image certwright quickstart localhost --dir /data/tls
    for command in controller webhook cainjector acmesolver "ctl check api"; do
        in_image certwright $command --help >/dev/null
        echo "$command: starts"
    done
fi
