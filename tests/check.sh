#!/usr/bin/env bash
# check.sh [--only PART,PART] [--mode MODE] [--seconds N] [--demand] - builds, runs the tests, counts them.
#
# Parts, in the order they run:
#   peers    brings nats-server, the CLI and the client libraries into the cache (tests/peers/bring.sh)
#   build    release, probes and ASan+UBSan builds of the programs and tests, warnings as errors; tests/hardening.sh on the release
#   unit     tests/unit/test_*, each a cmocka program, in the build MODE (asan)
#   replay   tests/fuzz/fuzz_*, each over its seeds, in the build MODE (asan)
#   model    tests/sim/*.sh, each a model checked by a program of its own
#   pytest   tests/config, tests/wire, tests/clients, tests/fault against the ASan build
#   lint     tests/tidy.sh
# and, only when named: fuzz (libFuzzer, N seconds a target, two at a time), cover (unit and replay counted by gcovr).
#
# What the black box tests find in their environment:
#   NATSD_BIN  NATSD_RELEASE_BIN  NATSD_PROBES_BIN   natsd of the ASan, release and probes builds
#   NATSD_CACHE   the folder with the peers: nats-server, nats, js/node_modules;  NATSD_MISSING   what is not there, by name
#   NATSD_SLOW    factor on all deadlines, since the ASan build is slower
# Logs are in build/check/.  Every test counts once; the last line is 'N passed, N failed', and the exit status says the same.
set -u
cd "$(dirname "$0")/.." || exit 1

only=peers,build,unit,replay,model,pytest,lint
mode=asan seconds=60 demand=
while [ $# -gt 0 ]; do
	case "$1" in
	--only) only=$2; shift ;;
	--mode) mode=$2; shift ;;
	--seconds) seconds=$2; shift ;;
	--demand) demand=--demand ;;
	*) sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
	shift
done

CC=${CC:-gcc}
jobs=$(nproc 2>/dev/null || echo 2)
export NATSD_CACHE=${NATSD_CACHE:-$HOME/.cache/natsd-peers}
cache=$NATSD_CACHE
logs=$PWD/build/check
mkdir -p "$logs"
passed=0 failed=0 skipped=0
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=1:detect_leaks=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-abort_on_error=1:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}

wanted() { case ",$only," in *",$1,"*) return 0 ;; esac; return 1; }
say() { printf '%s\n' "$*"; }
part() { wanted "$1" && say "== $1 (at $SECONDS s)"; }
# count PASSED FAILED [SKIPPED]
count() { passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0})); }
# verdict NAME STATUS LOG: counts a test that is one program.
verdict() {
	if [ "$2" -eq 0 ]; then count 1 0; else count 0 1; say "FAILED $1"; tail -n 25 "$3"; fi
}
make_here() { ${MAKE:-make} --no-print-directory -j"$jobs" CC="$CC" WERROR=1 "$@"; }

# The numbers in cmocka's closing lines; a program that died, or said nothing, counts as one failure.
count_cmocka() {
	local name=$1 status=$2 log=$3 good bad left
	good=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test(s)\..*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
	bad=$(sed -n 's/^\[  FAILED  \] .*, *\([0-9]*\) test(s).*/\1/p; s/^\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" |
		awk '{ n += $1 } END { print n + 0 }')
	left=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((good + bad + left)) -eq 0 ]; then bad=$((bad + 1)); fi
	count "$good" "$bad" "$left"
	if [ "$bad" -ne 0 ]; then say "FAILED $name (status $status, $log)"; grep -v '^\[ *\(RUN\|OK\) *\]' "$log" | tail -n 25; fi
}

# in_parallel LOGFOLDER PROGRAM...: runs them $jobs at a time; NAME.log and NAME.status are left in the folder.
in_parallel() {
	local folder=$1
	shift
	rm -rf "$folder" && mkdir -p "$folder"
	printf '%s\0' "$@" | xargs -0 -r -P "$jobs" -n 1 sh -c '
		name=$(basename "$2")
		seeds=tests/fuzz/seeds/${name#fuzz_}
		case "$name" in fuzz_*) [ ! -d "$seeds" ] || set -- "$1" "$2" "$seeds" ;; esac
		program=$2; folder=$1; shift 2
		timeout -k 5 600 "$program" "$@" >"$folder/$name.log" 2>&1 </dev/null
		status=$?
		if [ $status -ne 0 ]; then
			mv "$folder/$name.log" "$folder/$name.first"
			timeout -k 5 600 "$program" "$@" >"$folder/$name.log" 2>&1 </dev/null
			status=$?
		fi
		echo $status >"$folder/$name.status"' sh "$folder"
}

# second_tries FOLDER: names what passed only when it was run again (both logs are kept).
second_tries() {
	local f
	for f in "$1"/*.first; do
		[ ! -e "$f" ] || say "ran a second time: $(basename "$f" .first) ($f)"
	done
}

if wanted peers; then
	tests/peers/bring.sh $demand || exit 1
fi

if part build; then
	make_here MODE=release all || exit 1
	make_here MODE=probes all || exit 1
	make_here MODE=asan all tests fuzzers || exit 1
	for s in master master/authd worker; do
		n=natsd-$(basename $s)
		[ $s != master ] || n=natsd
		[ -e $s/main.c ] || continue
		tests/hardening.sh "build/$(basename "$CC")-release/$n" >"$logs/hardening-$n.log" 2>&1
		verdict "hardening $n" $? "$logs/hardening-$n.log"
	done
fi
out=build/$(basename "$CC")-$mode

if part unit; then
	programs=$(for s in tests/unit/test_*.c; do [ ! -e "$s" ] || echo "$out/${s%.c}"; done)
	in_parallel "$logs/unit" $programs
	for p in $programs; do
		n=$(basename "$p")
		count_cmocka "$n" "$(cat "$logs/unit/$n.status")" "$logs/unit/$n.log"
	done
	second_tries "$logs/unit"
fi

if part replay; then
	programs=$(for s in tests/fuzz/fuzz_*.c; do [ ! -e "$s" ] || echo "$out/${s%.c}"; done)
	in_parallel "$logs/replay" $programs
	for p in $programs; do
		n=$(basename "$p")
		verdict "$n" "$(cat "$logs/replay/$n.status")" "$logs/replay/$n.log"
	done
fi

if part model; then
	for s in tests/sim/*.sh; do
		[ -e "$s" ] || continue
		n=$(basename "$s" .sh)
		timeout -k 5 600 "$s" >"$logs/model-$n.log" 2>&1 </dev/null
		status=$?
		# A script that counts what it checked says so in its last line.
		set -- $(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$logs/model-$n.log")
		if [ $# -eq 2 ] && [ $status -eq 0 ] && [ "$2" -eq 0 ]; then
			count "$1" 0
			say "$s: $1 passed"
		else
			verdict "$s" $status "$logs/model-$n.log"
		fi
	done
fi

if part pytest; then
	export NATSD_BIN=$PWD/build/$(basename "$CC")-asan/natsd
	export NATSD_RELEASE_BIN=$PWD/build/$(basename "$CC")-release/natsd
	export NATSD_PROBES_BIN=$PWD/build/$(basename "$CC")-probes/natsd
	export NATSD_SLOW=${NATSD_SLOW:-3} NATSD_MISSING
	NATSD_MISSING=$(tr '\n' ' ' <"$cache/missing" 2>/dev/null)
	for d in config wire clients fault; do
		ls tests/$d/test_*.py >/dev/null 2>&1 || continue
		"$cache/venv/bin/python" -B -m pytest -q -p no:cacheprovider --timeout 300 --reruns 1 --tb short -rsfER --durations 20 \
			--junit-xml "$logs/pytest-$d.xml" tests/$d >"$logs/pytest-$d.log" 2>&1 </dev/null
		status=$?
		# shellcheck disable=SC2046
		set -- $(tail -n 1 "$logs/pytest-$d.log" | awk '{ for (i = 2; i <= NF; i++) n[substr($i, 1, 4)] += $(i - 1) }
			END { print n["pass"] + 0, n["fail"] + n["erro"] + 0, n["skip"] + 0 }')
		[ "$status" -eq 0 ] || [ "$2" -ne 0 ] || set -- "$1" 1 "$3"
		count "$1" "$2" "$3"
		say "tests/$d: $1 passed, $2 failed, $3 left out"
		grep -E '^(SKIPPED|RERUN)' "$logs/pytest-$d.log"
		[ "$2" -eq 0 ] || { say "FAILED tests/$d ($logs/pytest-$d.log)"; grep -E '^(FAILED|ERROR)' "$logs/pytest-$d.log"; tail -n 40 "$logs/pytest-$d.log"; }
	done
fi

if part lint; then
	tests/tidy.sh >"$logs/lint.log" 2>&1
	verdict lint $? "$logs/lint.log"
fi

if part fuzz; then
	found=$logs/fuzz
	rm -rf "$found" && mkdir -p "$found"
	ls tests/fuzz/fuzz_*.c | xargs -r -P 2 -n 1 sh -c '
		name=$(basename "$2" .c); seeds=tests/fuzz/seeds/${name#fuzz_}; corpus=$PWD/build/corpus/$name
		mkdir -p "$corpus"; [ -d "$seeds" ] || seeds=
		dictionary=tests/fuzz/${name#fuzz_}.dict; [ -e "$dictionary" ] && dictionary=-dict=$dictionary || dictionary=
		build/clang-14-fuzz/tests/fuzz/$name -max_total_time="$1" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
			-artifact_prefix="$0/$name-" "$corpus" $seeds >"$0/$name.log" 2>&1 </dev/null
		echo $? >"$0/$name.status"' "$found" "$seconds"
	for s in tests/fuzz/fuzz_*.c; do
		[ -e "$s" ] || continue
		n=$(basename "$s" .c)
		say "$n: $(sed -n 's/^stat::number_of_executed_units: */runs /p; s/.* cov: \([0-9]*\) .*/edges \1/p' "$found/$n.log" | tail -n 2 | paste -sd ' ')"
		verdict "$n ($found)" "$(cat "$found/$n.status")" "$found/$n.log"
	done
fi

if part cover; then
	gcovr -r . --object-directory "$out" --exclude 'tests/' --print-summary -s "$out" >"$logs/cover.txt"
	cat "$logs/cover.txt"
fi

missing=$(tr '\n' ' ' <"$cache/missing" 2>/dev/null)
if wanted pytest && [ -n "${missing// /}" ]; then say "not brought, so left out: $missing"; fi
[ "$skipped" -eq 0 ] || say "left out: $skipped"
say "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
