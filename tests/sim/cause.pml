/*
 * Three mesh members and a client: the rules 1 to 4 of ARCHITECTURE 2, each of which can be left out.
 *
 *	A, in one turn, sends c to C and asks B; B, asked, sends e to C.  C must handle c before e.
 *	In the same turn A sends C its interest, and PONG to a client X, who publishes on C's socket.  C must know the interest.
 *
 *	RELEASE 2	rule 1 left out: ring by ring, B's first
 *	SORT 0		rule 2: ring by ring, B's first, instead of by stamp
 *	CUT 0		rule 2: all that is committed, instead of what is stamped up to T
 *	REDRAIN 0	rule 3: no drain between the read from the socket and obeying it
 *	FLUSH_LAST 0	rule 4: PONG may leave before the commit
 * Spin looks at every order of events: a broken promise is a failed assertion.
 */
#ifndef RELEASE
#define RELEASE 1
#endif
#ifndef SORT
#define SORT 1
#endif
#ifndef CUT
#define CUT 1
#endif
#ifndef REDRAIN
#define REDRAIN 1
#endif
#ifndef FLUSH_LAST
#define FLUSH_LAST 1
#endif
#define END_OF_TIME 14

byte now = 1;
byte ac_stamp, ab_stamp, bc_stamp; /* of the batches in the rings; 0: nothing written */
bool ac_visible, ab_visible;	   /* ring by ring */
bool commit_a, commit_b;	   /* the commit words */
bool socket;
bool has_a, has_b, c_done, e_done, interest, published;

inline clock(t) { atomic { now < END_OF_TIME -> now++; t = now } }

active proctype a()
{
	byte stamp;

	if
	:: !FLUSH_LAST -> socket = 1
	:: else
	fi;
	clock(stamp);
	ab_stamp = stamp;
	ac_stamp = stamp;
	if
	:: RELEASE == 1 -> commit_a = 1
	:: RELEASE == 2 -> ab_visible = 1; ac_visible = 1
	fi;
	socket = 1 /* X, having PONG, publishes at once */
}

active proctype b()
{
	byte t, stamp;

	do
	:: clock(t);
		if
		:: RELEASE == 1 && commit_a && (!CUT || ab_stamp <= t) -> break
		:: RELEASE == 2 && ab_visible -> break
		:: else
		fi
	od;
	clock(stamp);
	bc_stamp = stamp;
	commit_b = 1
}

inline take_a() { if :: has_a -> c_done = 1; interest = 1 :: else fi }
inline take_b() { if :: has_b && !e_done -> assert(c_done); e_done = 1 :: else fi }
inline look_a() { has_a = (RELEASE == 1 -> commit_a : ac_visible) }
inline look_b() { has_b = commit_b }

inline drain(t)
{
	clock(t);
	if
	:: look_a(); look_b()
	:: look_b(); look_a()
	fi;
	if :: CUT && has_a && ac_stamp > t -> has_a = 0 :: else fi;
	if :: CUT && has_b && bc_stamp > t -> has_b = 0 :: else fi;
	if
	:: SORT && has_a && has_b && bc_stamp < ac_stamp -> take_b(); take_a()
	:: !SORT -> take_b(); take_a()
	:: else -> take_a(); take_b()
	fi
}

active proctype c()
{
	byte t;
	bool got;

	do
	:: e_done && published -> break
	:: else ->
		drain(t);
		got = socket;
		if :: REDRAIN -> drain(t) :: else fi;
		if :: got && !published -> assert(interest); published = 1 :: else fi
	od
}
