#!/usr/bin/env bash
# tidy.sh [FILE.c...] - the lint.  With files, only the rules about single files are held against them.
#
#   tidy.py         include direction, sizes, banned calls, contracts, ghosts
#   clang-format-14 .clang-format
#   cppcheck        errors, warnings, portability
#   check-docs.py   tables in the sources against the manual pages
#   mandoc          lint of the manual pages
# Prints what is wrong and ends with status 1; silent where all is well, but for a line of figures.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
held() { "$@" || bad=1; }

if [ $# -gt 0 ]; then
	held python3 -B tests/tidy.py "$@"
	held clang-format-14 --dry-run -Werror "$@"
	exit $bad
fi
files=$(git ls-files --cached --others --exclude-standard '*.c' '*.h')
held python3 -B tests/tidy.py
# shellcheck disable=SC2086
held sh -c 'printf "%s\n" "$@" | xargs -P 2 -n 20 clang-format-14 --dry-run -Werror' sh $files
mkdir -p build/cppcheck
# System headers are not read but for the one whose macros would look like errors of syntax.
queue=$(ls /usr/include/*/sys/queue.h /usr/include/sys/queue.h 2>/dev/null | head -n 1)
held cppcheck --quiet --enable=warning,portability --inline-suppr --error-exitcode=1 -j 2 --cppcheck-build-dir=build/cppcheck \
	--std=c11 --template='{file}:{line}: {severity}: {message} [{id}]' --max-configs=2 -D__linux__ -D__x86_64__ -D_GNU_SOURCE \
	-Ishared -I. ${queue:+--include="$queue"} --suppress=missingIncludeSystem --suppressions-list=tests/tidy.suppress shared master worker
held python3 -B tests/check-docs.py
# Whether the other pages are installed on this machine says nothing about ours.
if mandoc -T lint -W style man/*.[0-9] 2>/dev/null | grep -v 'referenced manual not found'; then bad=1; fi
exit $bad
