#!/bin/sh
# deps.sh build|check|fuzz|cover|all - installs what this step needs and the system lacks.
#
# Called by 'make run', 'make check' and their like.  On Debian and its children it asks apt-get (through sudo where not root) and
# says what it installs and why; elsewhere it prints what to install by hand.  With everything in place it only looks at files.
set -eu

# step | Debian package | what proves it is there: cmd NAME, header FILE, file GLOB | why
table='
build|gcc|cmd gcc|the compiler
build|make|cmd make|the build
build|libc6-dev|header stdio.h|headers of the C library
build|libcrypt-dev|header crypt.h|bcrypt passwords
build|libsodium-dev|header sodium.h|nkeys and random identities
build|libyajl-dev|header yajl/yajl_parse.h|JSON
build|libbsd-dev|header bsd/string.h|strlcpy, setproctitle, queue.h
build|libseccomp-dev|header seccomp.h|the system call filters
build|libssl-dev|header openssl/x509.h|certificates named in the configuration
check|libcmocka-dev|header cmocka.h|unit tests
check|python3|cmd python3|black box tests
check|python3-venv|module ensurepip|black box tests: their Python packages stay in the cache
check|ca-certificates|file /etc/ssl/certs/ca-certificates.crt|bringing the peers
check|git|cmd git|the lint looks at committed files
check|procps|cmd pgrep|tests of --signal
check|iproute2|cmd ip|tests in a network of their own
check|strace|cmd strace|tests of the system call filters
check|spin|cmd spin|the model of message order
check|clang-format-14|cmd clang-format-14|lint
check|cppcheck|cmd cppcheck|lint
check|mandoc|cmd mandoc|lint of the manual pages
fuzz|clang-14|cmd clang-14|libFuzzer and the second compiler
fuzz|libclang-rt-14-dev|file /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a|libFuzzer
cover|gcovr|cmd gcovr|coverage figures
'

case "${1:-}" in
build) steps='build' ;;
check) steps='build check' ;;
fuzz) steps='build fuzz' ;;
cover) steps='build check cover' ;;
all) steps='build check fuzz cover' ;;
*) echo "usage: $0 build|check|fuzz|cover|all" >&2; exit 2 ;;
esac

there() {
	case "$1" in
	cmd) command -v "$2" >/dev/null 2>&1 ;;
	header) ls /usr/include/"$2" /usr/include/*-linux-*/"$2" /usr/local/include/"$2" 2>/dev/null | grep -q . ;;
	file) ls $2 >/dev/null 2>&1 ;;
	module) python3 -c "import $2" >/dev/null 2>&1 ;;
	esac
}

packages= reasons=
while IFS='|' read -r step package proof why; do
	case " $steps " in *" ${step:--} "*) ;; *) continue ;; esac
	there $proof && continue
	packages="$packages $package"
	reasons="$reasons
    $package: $why"
done <<TABLE
$table
TABLE
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "natsd needs what these Debian packages hold; please install them by your system's means:$reasons" >&2
	exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=sudo
	if ! command -v sudo >/dev/null 2>&1; then
		echo "neither root nor sudo here; please have installed:$reasons
as root: apt-get install -y --no-install-recommends$packages" >&2
		exit 1
	fi
fi
echo "installing by ${sudo:+$sudo }apt-get:$reasons"
export DEBIAN_FRONTEND=noninteractive
install="$sudo apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 $packages"
# The package lists of a fresh system are empty or old.
$install >/dev/null 2>&1 || { $sudo apt-get update -q >/dev/null && $install; }
