/*
 * One ring and its two bells (R-f of RELIABILITY 4): a writer with an overflow queue, a reader, both of which sleep when they have
 * nothing to do.  SIZE slots, RECORDS records.  Stores to shared memory wait in a buffer, as on x86, until the machine or a fence
 * lets them out: so the two fences are part of what is checked.
 *
 * Shown for every order of events: nothing is written over what was not read (overrun), nothing is read that was not written,
 * records come in order, and nobody sleeps for ever (a lost wake is a deadlock, which spin reports as an invalid end state).
 * What can be left out, and then must fail:
 *	FENCE_COMMIT 0		between commit word and the look at the reader's sleeping word
 *	FENCE_SLEEP 0		between the sleeping word and the second look for news
 *	FENCE_TAIL 0		between tail and the look at the writer's sleeping word
 *	RECHECK 0		the second look for news, before a sleep
 *	COUNT 0			the count of sleeps in the sleeping word (a bell is rung once per sleep)
 *	LIMIT 0			the writer's look at the tail
 */
#ifndef SIZE
#define SIZE 2
#endif
#define RECORDS (SIZE + 2)
#ifndef FENCE_COMMIT
#define FENCE_COMMIT 1
#endif
#ifndef FENCE_SLEEP
#define FENCE_SLEEP 1
#endif
#ifndef FENCE_TAIL
#define FENCE_TAIL 1
#endif
#ifndef RECHECK
#define RECHECK 1
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef LIMIT
#define LIMIT 1
#endif

#define AWAKE 0
#define ASLEEP 1
#define ASLEEP_FULL 2
#define STATE(word) ((word) % 4)
#define WORD(count, state) ((COUNT -> (count) : 1) * 4 + (state))

/* Shared memory. */
byte slot[SIZE];
byte commit, tail;
byte reader_sleeps, writer_sleeps;
bool reader_bell, writer_bell;

/* Stores under way, oldest first. */
mtype = { COMMIT, TAIL, READER_SLEEPS, WRITER_SLEEPS };
chan writer_stores = [3] of { mtype, byte };
chan reader_stores = [3] of { mtype, byte };

#define store(buffer, what, value) buffer!what,value
#define fence(buffer) empty(buffer)

active proctype memory()
{
	byte value;
end:	do
	:: atomic { writer_stores?COMMIT(value) -> commit = value }
	:: atomic { writer_stores?WRITER_SLEEPS(value) -> writer_sleeps = value }
	:: atomic { reader_stores?TAIL(value) -> tail = value }
	:: atomic { reader_stores?READER_SLEEPS(value) -> reader_sleeps = value }
	od
}

active proctype writer()
{
	byte head, known, queue, put, word, rung, count;

	do
	:: /* a turn: some records, into ring or queue */
		if
		:: put < RECORDS -> put++; queue++
		:: put < RECORDS -> put = put + 2; queue = queue + 2; if :: put > RECORDS -> put--; queue-- :: else fi
		:: put == RECORDS
		fi;
		/* commit: what finds room, then the word, then the bell */
		word = head;
		do
		:: queue > 0 && LIMIT && head - known == SIZE ->
			if
			:: tail == known -> break
			:: else -> known = tail
			fi
		:: queue > 0 && (!LIMIT || head - known < SIZE) ->
			atomic {
				assert(head - tail < SIZE); /* no overrun; stores under way only make more room */
				slot[head % SIZE] = head;
				head++;
				queue--
			}
		:: queue == 0 -> break
		od;
		if
		:: word != head ->
			store(writer_stores, COMMIT, head);
			if :: FENCE_COMMIT -> fence(writer_stores) :: else fi;
			word = reader_sleeps;
			if
			:: STATE(word) != AWAKE && word != rung -> rung = word; reader_bell = 1
			:: else
			fi
		:: else
		fi;
		if
		:: queue == 0 && put == RECORDS -> break
		:: else
		fi;
		/* sleep over a full ring */
		if
		:: queue > 0 ->
			count++;
			store(writer_stores, WRITER_SLEEPS, WORD(count, ASLEEP_FULL));
			if :: FENCE_SLEEP -> fence(writer_stores) :: else fi;
			known = tail;
			if
			:: RECHECK && head - known <= SIZE / 2
			:: else -> writer_bell == 1
			fi;
			store(writer_stores, WRITER_SLEEPS, AWAKE);
			writer_bell = 0
		:: else
		fi
	od
}

active proctype reader()
{
	byte next, seen, word, rung, count;

	do
	:: /* drain: the word once, then all up to it */
		seen = commit;
		if
		:: seen != next ->
			assert(seen - next <= SIZE);
			do
			:: next != seen -> atomic { assert(slot[next % SIZE] == next); next++ }
			:: next != seen -> atomic { assert(slot[next % SIZE] == next); next++ }; break /* on its budget */
			:: next == seen -> break
			od;
			store(reader_stores, TAIL, next);
			if :: FENCE_TAIL -> fence(reader_stores) :: else fi;
			word = writer_sleeps;
			if
			:: STATE(word) == ASLEEP_FULL && word != rung && seen - next <= SIZE / 2 -> rung = word; writer_bell = 1
			:: else
			fi
		:: else
		fi;
		if
		:: next == RECORDS -> break
		:: else
		fi;
		/* sleep */
		if
		:: next == seen ->
			count++;
			store(reader_stores, READER_SLEEPS, WORD(count, ASLEEP));
			if :: FENCE_SLEEP -> fence(reader_stores) :: else fi;
			if
			:: RECHECK && commit != seen
			:: else -> reader_bell == 1
			fi;
			store(reader_stores, READER_SLEEPS, AWAKE);
			reader_bell = 0
		:: else
		fi
	od
}
