#!/bin/sh
# hardening.sh PROGRAM... - does the linker's output have what the flags asked for? Called by tests/check.sh on the release build.
#
# Position independent, all relocations bound and read-only after the start, no executable stack or writable code, stack protector,
# fortified calls, landing pads for branch tracking; and no code of the sandbox probes.
set -u
bad=0
need() { # PROGRAM WHAT PATTERN TEXT
	printf '%s\n' "$4" | grep -q -E "$3" || { echo "$1: not $2"; bad=1; }
}
for program in "$@"; do
	header=$(readelf -hW "$program") segments=$(readelf -lW "$program") dynamic=$(readelf -dW "$program")
	symbols=$(readelf -sW "$program")
	need "$program" 'position independent' 'Type: +DYN' "$header"
	need "$program" 'bound at start' 'BIND_NOW|FLAGS_1.*NOW' "$dynamic"
	need "$program" 'read-only after relocation' 'GNU_RELRO' "$segments"
	need "$program" 'without executable stack' 'GNU_STACK .* RW ' "$segments"
	need "$program" 'stack protected' '__stack_chk_fail' "$symbols"
	need "$program" 'fortified' '_chk@|_chk ' "$symbols"
	# The linker drops the mark since Debian's start files have none; the landing pads are there.
	case $(uname -m) in x86_64) need "$program" 'built for branch tracking' 'endbr64' "$(objdump -d --section=.text "$program" | grep -m 1 endbr64)" ;; esac
	if printf '%s\n' "$segments" | grep -q 'LOAD .* RWE '; then echo "$program: writable code"; bad=1; fi
	if printf '%s\n' "$symbols" | grep -q -i 'probe'; then echo "$program: has code of the sandbox probes"; bad=1; fi
	if printf '%s\n' "$dynamic" | grep -q -E 'RPATH|RUNPATH|TEXTREL'; then echo "$program: has a run path or text relocations"; bad=1; fi
done
exit $bad
