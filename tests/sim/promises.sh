#!/bin/sh
# promises.sh [ROUNDS]: the two promises hold over real rings with every window widened (pause.c), and each rule that is left out
# breaks one of them.  Builds tests/unit/test_promises.c with MESH_WITHOUT_*; the last line is 'N passed, N failed'.
cd "$(dirname "$0")/../.." || exit 2
rounds=${1:-200000}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT INT TERM
sources="tests/unit/test_promises.c tests/sim/pause.c shared/ipc/ring.c shared/ipc/overflow.c shared/ipc/mesh.c shared/ipc/mesh_drain.c
	shared/ipc/mesh_create.c shared/base/blob.c shared/base/check.c shared/base/memory.c shared/base/loop.c"
passed=0 failed=0

# build NAME FLAG...
build() {
	name=$1
	shift
	# shellcheck disable=SC2086
	${CC:-gcc} -std=gnu11 -O2 -D_GNU_SOURCE -Ishared -I. -DMESH_TEST "$@" -o "$tmp/$name" $sources -lcmocka -lsodium -lbsd \
		>"$tmp/$name.log" 2>&1 && return
	cat "$tmp/$name.log"
	echo "$name: does not build"
	failed=$((failed + 1))
	return 1
}

# verdict NAME expected-status status
verdict() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		echo "ok: $1"
	else
		failed=$((failed + 1))
		echo "FAILED: $1 (status $3)"
		cat "$tmp/out"
	fi
}

if build all_rules; then
	"$tmp/all_rules" "$rounds" >"$tmp/out" 2>&1
	verdict "all rules: both promises hold for $rounds rounds" 0 $?
	grep '^rounds' "$tmp/out"
fi
for rule in ONE_COMMIT STAMP_ORDER CUT REDRAIN COMMIT_FIRST; do
	build "$rule" "-DMESH_WITHOUT_$rule" || continue
	"$tmp/$rule" "$((rounds * 20))" >"$tmp/out" 2>&1
	verdict "without $rule a promise breaks" 1 $?
	grep -ao 'member [0-9]*: .* came before it (.*' "$tmp/out" | head -n 1
	# It must be a promise that broke, not the program.
	grep -q 'came before it' "$tmp/out" || { failed=$((failed + 1)); echo "FAILED: without $rule: not for the right reason"; cat "$tmp/out"; }
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
