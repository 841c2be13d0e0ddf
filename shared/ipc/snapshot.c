/*
 * snapshot.c: see snapshot.h.  Texts have u32 lengths, lists u32 counts; a hash of snapshot.def stands in front, so that a program
 * of another build is noticed.  Readers check everything, though the writer is master: a bug there must not become one here.
 */
#include "ipc/snapshot.h"

#include <sys/mman.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "ipc/seal.h"
#include "model/options.h"

#define SNAPSHOT_WORKER 0x574f524bu
#define SNAPSHOT_AUTHD 0x41555448u
#define SNAPSHOT_MAX (64u << 20)
#define SNAPSHOT_FIRST (16u << 10)
#define SNAPSHOT_LIST_MAX (1u << 20)

static uint32_t
snapshot_hash(void)
{
#define FIELD(...) #__VA_ARGS__ ";"
	static const char table[] =
#include "ipc/snapshot.def"
	    ;
#undef FIELD
	uint32_t hash = 2166136261u;

	for (const char *c = table; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	return hash;
}

/* ---- writing ---- */

static void
put_text(struct bytes_writer *w, const char *text)
{
	bytes_put_view32(w, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
}

static void
put_texts(struct bytes_writer *w, struct snapshot_texts texts)
{
	bytes_put_u32(w, texts.count);
	for (uint32_t i = 0; i < texts.count; i++)
		put_text(w, texts.items[i]);
}

static void
put_pairs(struct bytes_writer *w, struct snapshot_pairs pairs)
{
	bytes_put_u32(w, pairs.count);
	for (uint32_t i = 0; i < pairs.count; i++) {
		put_text(w, pairs.items[i].name);
		put_text(w, pairs.items[i].value);
	}
}

static void
put_worker(struct bytes_writer *w, const void *from)
{
	const struct worker_config *config = from;

#define TEXT(name) put_text(w, config->name);
#define FLAG(name) bytes_put_bool(w, config->name);
#define NUMBER(name) bytes_put_i64(w, config->name);
#define TEXTS(name) put_texts(w, config->name);
#define PAIRS(name) put_pairs(w, config->name);
#define FIELD(kind, name, text) kind(name)
#include "ipc/snapshot.def"
#undef FIELD
#undef TEXT
#undef FLAG
#undef NUMBER
#undef TEXTS
#undef PAIRS
}

static void
put_optional(struct bytes_writer *w, const char *text)
{
	bytes_put_bool(w, text != NULL);
	if (text != NULL)
		put_text(w, text);
}

static void
put_subjects(struct bytes_writer *w, const struct options_subjects *list)
{
	CHECK(list->length <= SNAPSHOT_LIST_MAX);
	bytes_put_bool(w, list->set);
	bytes_put_u32(w, (uint32_t)list->length);
	for (size_t i = 0; i < list->length; i++) {
		const struct options_subject *item = &list->items[i];
		size_t subject = strlen(item->subject), queue = item->queue == NULL ? 0 : strlen(item->queue);

		bytes_put_u32(w, (uint32_t)(subject + (queue > 0 ? 1 + queue : 0)));
		bytes_put_data(w, item->subject, subject);
		if (queue > 0) {
			bytes_put_u8(w, ' ');
			bytes_put_data(w, item->queue, queue);
		}
	}
}

static void
put_permissions(struct bytes_writer *w, const struct options_permissions *permissions)
{
	bytes_put_bool(w, permissions != NULL);
	if (permissions == NULL)
		return;
	put_subjects(w, &permissions->publish.allow);
	put_subjects(w, &permissions->publish.deny);
	put_subjects(w, &permissions->subscribe.allow);
	put_subjects(w, &permissions->subscribe.deny);
	bytes_put_bool(w, permissions->responses);
	bytes_put_i64(w, permissions->responses_max);
	bytes_put_i64(w, permissions->responses_expires);
}

static void
put_authd(struct bytes_writer *w, const void *from)
{
	const struct options *options = from;
	uint32_t count = 0;

	put_optional(w, options->username);
	put_optional(w, options->password);
	put_optional(w, options->authorization);
	put_optional(w, options->no_auth_user);
	bytes_put_bool(w, options->auth_block);
	bytes_put_bool(w, options->proxy_required);
	bytes_put_i64(w, (int64_t)(options->auth_timeout * 1e9));
	for (size_t i = 0; i < options->users_length; i++)
		count += options->users[i]->nkey == NULL;
	bytes_put_u32(w, count);
	for (size_t i = 0; i < options->users_length; i++) {
		const struct options_user *user = options->users[i];

		if (user->nkey != NULL)
			continue;
		put_text(w, user->name);
		put_text(w, user->password);
		put_text(w, user->account);
		bytes_put_u32(w, user->connection_types);
		bytes_put_bool(w, user->proxy_required);
		put_permissions(w, user->permissions);
	}
}

/* Encodes into a buffer that grows until it fits, and from there into a memfd. */
static int
snapshot_create(const char *name, uint32_t kind, void (*put)(struct bytes_writer *, const void *), const void *from)
{
	for (size_t size = SNAPSHOT_FIRST; size <= SNAPSHOT_MAX; size *= 2) {
		uint8_t *buffer = memory_alloc(size);
		struct bytes_writer w;
		int fd = -1;

		if (buffer == NULL)
			break;
		bytes_writer_init(&w, buffer, size);
		bytes_put_u32(&w, kind);
		bytes_put_u32(&w, snapshot_hash());
		put(&w, from);
		if (!w.failed)
			fd = seal_create_with(name, buffer, bytes_written(&w));
		memory_wipe(buffer, bytes_written(&w));
		memory_free(buffer);
		if (!w.failed)
			return fd;
	}
	errno = ENOMEM;
	return -1;
}

int
snapshot_worker_create(const struct worker_config *config)
{
	CHECK(config != NULL);
	return snapshot_create("natsd-worker-config", SNAPSHOT_WORKER, put_worker, config);
}

int
snapshot_authd_create(const struct options *options)
{
	CHECK(options != NULL);
	return snapshot_create("natsd-authd-config", SNAPSHOT_AUTHD, put_authd, options);
}

/* ---- reading ---- */

struct reader {
	struct bytes_reader bytes;
	struct arena *arena;
};

static const char *
get_text(struct reader *r)
{
	const uint8_t *at;
	size_t length;
	const char *copy = NULL;

	if (bytes_view32(&r->bytes, &at, &length) && (length == 0 || memchr(at, '\0', length) == NULL))
		copy = arena_strdup(r->arena, length == 0 ? "" : (const char *)at, length);
	if (copy == NULL)
		r->bytes.failed = true;
	return copy == NULL ? "" : copy;
}

static const char *
get_optional(struct reader *r)
{
	return bytes_bool(&r->bytes) ? get_text(r) : NULL;
}

/* Room for a list whose length was just read; each item takes at least `least` bytes of what is left. */
static void *
get_list(struct reader *r, uint32_t *count, size_t item, size_t least)
{
	void *items;

	*count = bytes_u32(&r->bytes);
	if (*count > bytes_left(&r->bytes) / least)
		r->bytes.failed = true;
	items = r->bytes.failed ? NULL : arena_array(r->arena, (size_t)*count + 1, item);
	if (items == NULL) {
		r->bytes.failed = true;
		*count = 0;
	}
	return items;
}

static struct snapshot_texts
get_texts(struct reader *r)
{
	struct snapshot_texts texts;
	const char **items = get_list(r, &texts.count, sizeof(*items), 4);

	for (uint32_t i = 0; i < texts.count; i++)
		items[i] = get_text(r);
	texts.items = items;
	return texts;
}

static struct snapshot_pairs
get_pairs(struct reader *r)
{
	struct snapshot_pairs pairs;
	struct snapshot_pair *items = get_list(r, &pairs.count, sizeof(*items), 8);

	for (uint32_t i = 0; i < pairs.count; i++) {
		items[i].name = get_text(r);
		items[i].value = get_text(r);
	}
	pairs.items = items;
	return pairs;
}

static void *
get_worker(struct reader *r)
{
	struct worker_config *config = arena_alloc(r->arena, sizeof(*config));

	if (config == NULL)
		return NULL;
	config->arena = r->arena;
#define TEXT(name) config->name = get_text(r);
#define FLAG(name) config->name = bytes_bool(&r->bytes);
#define NUMBER(name) config->name = bytes_i64(&r->bytes);
#define TEXTS(name) config->name = get_texts(r);
#define PAIRS(name) config->name = get_pairs(r);
#define FIELD(kind, name, text) kind(name)
#include "ipc/snapshot.def"
#undef FIELD
	return config;
}

static struct snapshot_subjects
get_subjects(struct reader *r)
{
	struct snapshot_subjects list;
	const char **items;

	list.set = bytes_bool(&r->bytes);
	items = get_list(r, &list.count, sizeof(*items), 4);
	for (uint32_t i = 0; i < list.count; i++)
		items[i] = get_text(r);
	list.items = items;
	return list;
}

static const struct snapshot_permissions *
get_permissions(struct reader *r)
{
	struct snapshot_permissions *permissions;

	if (!bytes_bool(&r->bytes))
		return NULL;
	permissions = arena_alloc(r->arena, sizeof(*permissions));
	if (permissions == NULL) {
		r->bytes.failed = true;
		return NULL;
	}
	permissions->publish_allow = get_subjects(r);
	permissions->publish_deny = get_subjects(r);
	permissions->subscribe_allow = get_subjects(r);
	permissions->subscribe_deny = get_subjects(r);
	permissions->responses = bytes_bool(&r->bytes);
	permissions->responses_max = bytes_i64(&r->bytes);
	permissions->responses_expires = bytes_i64(&r->bytes);
	return permissions;
}

static void *
get_authd(struct reader *r)
{
	struct authd_config *config = arena_alloc(r->arena, sizeof(*config));
	struct snapshot_user *users;

	if (config == NULL)
		return NULL;
	config->arena = r->arena;
	config->username = get_optional(r);
	config->password = get_optional(r);
	config->token = get_optional(r);
	config->no_auth_user = get_optional(r);
	config->auth_block = bytes_bool(&r->bytes);
	config->proxy_required = bytes_bool(&r->bytes);
	config->auth_timeout = bytes_i64(&r->bytes);
	users = get_list(r, &config->user_count, sizeof(*users), 18);
	for (uint32_t i = 0; i < config->user_count; i++) {
		users[i].name = get_text(r);
		users[i].password = get_text(r);
		users[i].account = get_text(r);
		users[i].connection_types = bytes_u32(&r->bytes);
		users[i].proxy_required = bytes_bool(&r->bytes);
		users[i].permissions = get_permissions(r);
	}
	config->users = users;
	return config;
}

static void *
snapshot_read(int fd, uint32_t kind, void *(*get)(struct reader *))
{
	struct reader r;
	void *config = NULL, *data;
	size_t size;

	if (!seal_is_constant(fd, &size) || size > SNAPSHOT_MAX)
		return NULL;
	data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return NULL;
	bytes_reader_init(&r.bytes, data, size);
	r.arena = arena_create(SNAPSHOT_MAX * (size_t)4);
	if (r.arena != NULL && bytes_u32(&r.bytes) == kind && bytes_u32(&r.bytes) == snapshot_hash())
		config = get(&r);
	munmap(data, size);
	if (config != NULL && bytes_done(&r.bytes))
		return config;
	arena_free(r.arena);
	return NULL;
}

struct worker_config *
snapshot_worker_read(int fd)
{
	return snapshot_read(fd, SNAPSHOT_WORKER, get_worker);
}

struct authd_config *
snapshot_authd_read(int fd)
{
	return snapshot_read(fd, SNAPSHOT_AUTHD, get_authd);
}

void
snapshot_worker_free(struct worker_config *config)
{
	if (config != NULL)
		arena_free(config->arena);
}

static void
wipe(const char *secret)
{
	if (secret != NULL)
		memory_wipe((void *)(uintptr_t)secret, strlen(secret));
}

void
snapshot_authd_free(struct authd_config *config)
{
	if (config == NULL)
		return;
	wipe(config->password);
	wipe(config->token);
	for (uint32_t i = 0; i < config->user_count; i++)
		wipe(config->users[i].password);
	arena_free(config->arena);
}
