/*
 * passwords.c: comparing passwords.  bcrypt costs a tenth of a second by design, so those wait in a queue that takes turns between
 * source addresses: whoever floods waits for himself.  One check per turn of the loop; secrets are wiped as soon as they are used.
 */
#include "authd.h"

#include <sys/queue.h>

#include <crypt.h>
#include <string.h>

#include <sodium.h>

#include "base/check.h"
#include "base/memory.h"

struct job {
	TAILQ_ENTRY(job) next;
	struct asker asker;
	uint32_t login;
	size_t length;
	char secret[AUTHD_SECRET_MAX + 1];
};

struct source {
	TAILQ_ENTRY(source) next;
	TAILQ_HEAD(job_queue, job) jobs;
	unsigned count;
	char address[AUTHD_ADDRESS_SIZE];
};

static TAILQ_HEAD(source_queue, source) sources = TAILQ_HEAD_INITIALIZER(sources); /* in the order of their turns */
static unsigned waiting;

bool
password_equal(const char *stored, const char *given, size_t length)
{
	return strlen(stored) == length && (length == 0 || sodium_memcmp(stored, given, length) == 0);
}

/* All variants of the hash mean the same algorithm, as Go computes it: libcrypt calls that one 2y. secret ends with a NUL and has
 * no other. */
static bool
bcrypt_matches(const char *stored, const char *secret)
{
	static struct crypt_data data;
	char setting[64];
	const char *hash;
	bool good;

	CHECK(password_is_bcrypt(stored));
	if (strlen(stored) != 60)
		return false;
	memcpy(setting, stored, 61);
	setting[2] = 'y';
	hash = crypt_r(secret, setting, &data);
	good = hash != NULL && strlen(hash) == 60 && sodium_memcmp(hash + 4, stored + 4, 56) == 0;
	memory_wipe(&data, sizeof(data));
	return good;
}

/* What of a password bcrypt looks at; false when it holds a NUL, which no C library can check. */
static bool
take_secret(char out[AUTHD_SECRET_MAX + 1], const char *given, size_t length)
{
	if (length > AUTHD_SECRET_MAX)
		length = AUTHD_SECRET_MAX;
	if (length > 0 && memchr(given, '\0', length) != NULL)
		return false;
	if (length > 0)
		memcpy(out, given, length);
	out[length] = '\0';
	return true;
}

bool
password_matches(const char *stored, const char *given, size_t length)
{
	char secret[AUTHD_SECRET_MAX + 1];
	bool good;

	if (!password_is_bcrypt(stored))
		return password_equal(stored, given, length);
	good = take_secret(secret, given, length) && bcrypt_matches(stored, secret);
	memory_wipe(secret, sizeof(secret));
	return good;
}

/* ---- the queue ---- */

static struct source *
find_source(const char *address, size_t length)
{
	struct source *source;

	TAILQ_FOREACH(source, &sources, next)
		if (strlen(source->address) == length && memcmp(source->address, address, length) == 0)
			return source;
	source = memory_zalloc(sizeof(*source));
	if (source == NULL)
		return NULL;
	memcpy(source->address, address, length);
	TAILQ_INIT(&source->jobs);
	TAILQ_INSERT_TAIL(&sources, source, next);
	return source;
}

static void
job_free(struct source *source, struct job *job)
{
	TAILQ_REMOVE(&source->jobs, job, next);
	memory_wipe(job, sizeof(*job));
	memory_free(job);
	CHECK(source->count > 0 && waiting > 0);
	source->count--;
	waiting--;
	COUNTERS_SET(authd.role->counters, auth_queue, waiting);
}

static void
source_free_if_empty(struct source *source)
{
	if (source->count > 0)
		return;
	TAILQ_REMOVE(&sources, source, next);
	memory_free(source);
}

bool
passwords_ask(
    const struct asker *asker, uint32_t login, const char *source_text, size_t source_length, const char *given, size_t length)
{
	struct source *source;
	struct job *job;

	if (waiting >= AUTHD_QUEUE_MAX)
		return false;
	if (source_length >= AUTHD_ADDRESS_SIZE)
		source_length = AUTHD_ADDRESS_SIZE - 1;
	source = find_source(source_text, source_length);
	if (source == NULL)
		return false;
	job = source->count >= AUTHD_QUEUE_SOURCE_MAX ? NULL : memory_zalloc(sizeof(*job));
	if (job == NULL) {
		source_free_if_empty(source);
		return false;
	}
	job->asker = *asker;
	job->login = login;
	if (!take_secret(job->secret, given, length)) {
		memory_free(job);
		source_free_if_empty(source);
		return false;
	}
	TAILQ_INSERT_TAIL(&source->jobs, job, next);
	source->count++;
	waiting++;
	COUNTERS_SET(authd.role->counters, auth_queue, waiting);
	return true;
}

static bool
is_cancelled(const struct job *job, const struct asker *asker, bool whole_worker)
{
	return job->asker.worker == asker->worker &&
	    (whole_worker || (job->asker.index == asker->index && job->asker.generation == asker->generation));
}

static void
cancel(const struct asker *asker, bool whole_worker)
{
	struct source *source, *next_source;
	struct job *job, *next_job;

	for (source = TAILQ_FIRST(&sources); source != NULL; source = next_source) {
		next_source = TAILQ_NEXT(source, next);
		for (job = TAILQ_FIRST(&source->jobs); job != NULL; job = next_job) {
			next_job = TAILQ_NEXT(job, next);
			if (is_cancelled(job, asker, whole_worker))
				job_free(source, job);
		}
		source_free_if_empty(source);
	}
}

void
passwords_cancel(const struct asker *asker)
{
	cancel(asker, false);
}

void
passwords_cancel_worker(unsigned worker)
{
	cancel(&(const struct asker){ .worker = worker }, true);
}

bool
passwords_waiting(void)
{
	return waiting > 0;
}

static const struct login *
login_of(uint32_t number)
{
	for (size_t i = 0; i < authd.logins.count; i++)
		if (authd.logins.items[i].number == number)
			return &authd.logins.items[i];
	return NULL;
}

void
passwords_step(void)
{
	struct source *source = TAILQ_FIRST(&sources);
	const struct login *login;
	struct job *job;
	bool good;

	if (source == NULL)
		return;
	TAILQ_REMOVE(&sources, source, next);
	TAILQ_INSERT_TAIL(&sources, source, next);
	job = TAILQ_FIRST(&source->jobs);
	CHECK(job != NULL);
	/* The configuration may have changed while it waited. */
	login = login_of(job->login);
	good = login != NULL && password_matches(login->password, job->secret, strlen(job->secret));
	decide_reply(&job->asker, good ? login : NULL, "wrong password");
	job_free(source, job);
	source_free_if_empty(source);
}
