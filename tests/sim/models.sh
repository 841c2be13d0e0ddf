#!/bin/sh
# models.sh: spin over ring.pml and cause.pml; as they stand they hold, and with any one part left out spin finds what breaks.
# The last line is 'N passed, N failed'.
cd "$(dirname "$0")" || exit 2
here=$PWD
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT INT TERM
cd "$tmp" || exit 2
passed=0 failed=0

# search MODEL FLAG...: sets errors to the number spin counts, or to nothing when the search was not exhaustive.
search() {
	model=$1
	shift
	rm -f pan* ./*.trail
	# Time ends in the cause model: a process that waits for it then is no deadlock.
	case $model in cause.pml) ends=-E ;; *) ends= ;; esac
	spin "$@" -a "$here/$model" >log 2>&1 && ${CC:-gcc} -O2 -DSAFETY -DVECTORSZ=2048 -o pan pan.c >>log 2>&1 && ./pan -m200000 -w24 $ends >out 2>&1
	errors=$(sed -n 's/.*errors: \([0-9]*\)/\1/p' out)
	! grep -q 'max search depth too small' out || errors=
	states=$(sed -n 's/ *\([0-9]*\) states, stored.*/\1/p' out)
}

# check EXPECTED NAME MODEL FLAG...: expected is holds, or a word of what spin says when it does not.
check() {
	expected=$1 name=$2
	shift 2
	search "$@"
	case $expected in
	holds) [ "$errors" = 0 ] ;;
	*) [ "${errors:-0}" -gt 0 ] && grep -Eq "$expected" out ;;
	esac
	if [ $? -eq 0 ]; then
		passed=$((passed + 1))
		echo "ok: $name ($states states)"
	else
		failed=$((failed + 1))
		echo "FAILED: $name"
		cat log out
	fi
}

for size in 1 2 3 4; do
	check holds "ring of $size: no overrun, no lost wake" ring.pml -DSIZE=$size
done
wake='invalid end state'
for part in FENCE_COMMIT FENCE_SLEEP FENCE_TAIL RECHECK COUNT; do
	check "$wake" "ring without $part loses a wake" ring.pml -DSIZE=2 -D$part=0
done
check 'assertion violated' 'ring without LIMIT is overrun' ring.pml -DSIZE=2 -DLIMIT=0
check holds 'cause: both promises hold' cause.pml
check 'assertion violated \(*c_done' 'cause without one commit: an effect overtakes its cause' cause.pml -DRELEASE=2
check 'assertion violated \(*c_done' 'cause without order by stamp: an effect overtakes its cause' cause.pml -DSORT=0
check 'assertion violated \(*c_done' 'cause without the cut: an effect overtakes its cause' cause.pml -DCUT=0
check 'assertion violated \(*interest' 'cause without the second drain: PONG, but no interest' cause.pml -DREDRAIN=0
check 'assertion violated \(*interest' 'cause without commit before flush: PONG, but no interest' cause.pml -DFLUSH_LAST=0
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
