/*
 * permissions.c: sets of permissions, encoded once, numbered, and told to each worker before it hears of the number.
 * Equal sets share a number.  Numbers start at random, so that those of an authd before us (which workers may still hold) are
 * others.
 */
#include "authd.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "model/permission.h"

#define PART_MAX 12288

struct set {
	struct set *next;
	uint32_t number;
	size_t size;
	uint64_t told; /* bit w: worker w knows it */
	bool used;     /* by the configuration in force */
	uint8_t bytes[];
};

static struct set *sets;
static uint32_t last_number;

static struct set *
find(uint32_t number)
{
	for (struct set *set = sets; set != NULL; set = set->next)
		if (set->number == number)
			return set;
	return NULL;
}

/* A list that was given but is empty admits nothing: an entry that is no subject says so without adding anything. */
static bool
add_list(struct permission_set *set, enum permission_kind kind, const struct snapshot_subjects *list)
{
	if (list->set && list->count == 0)
		(void)permission_set_add(set, kind, "", 0);
	for (uint32_t i = 0; i < list->count; i++) {
		enum permission_status status = permission_set_add(set, kind, list->items[i], strlen(list->items[i]));

		if (status == PERMISSION_NO_MEMORY || status == PERMISSION_FULL)
			return false;
	}
	return true;
}

static struct permission_set *
compile(const struct snapshot_permissions *from)
{
	struct permission_set *set = permission_set_create();

	if (set == NULL)
		return NULL;
	if (!add_list(set, PERMISSION_PUBLISH_ALLOW, &from->publish_allow) ||
	    !add_list(set, PERMISSION_PUBLISH_DENY, &from->publish_deny) ||
	    !add_list(set, PERMISSION_SUBSCRIBE_ALLOW, &from->subscribe_allow) ||
	    !add_list(set, PERMISSION_SUBSCRIBE_DENY, &from->subscribe_deny)) {
		permission_set_release(set);
		return NULL;
	}
	if (from->responses)
		permission_set_responses(set, (int32_t)from->responses_max, from->responses_expires);
	return set;
}

/* The known set of the same bytes, or the new one, which then belongs to the list. */
static struct set *
keep(struct set *fresh)
{
	for (struct set *set = sets; set != NULL; set = set->next)
		if (set->size == fresh->size && memcmp(set->bytes, fresh->bytes, set->size) == 0) {
			memory_free(fresh);
			return set;
		}
	while (last_number == 0 || last_number == UINT32_MAX || find(last_number) != NULL)
		last_number = last_number == 0 ? (uint32_t)random_u64() : last_number % (UINT32_MAX - 1) + 1;
	fresh->number = last_number;
	fresh->next = sets;
	sets = fresh;
	return fresh;
}

uint32_t
permissions_number(const struct snapshot_permissions *permissions)
{
	struct permission_set *compiled;
	struct bytes_writer w;
	struct set *set;
	size_t size;

	if (permissions == NULL)
		return 0;
	compiled = compile(permissions);
	if (compiled == NULL)
		return UINT32_MAX;
	size = permission_set_size(compiled);
	set = memory_zalloc(sizeof(*set) + size);
	if (set != NULL) {
		bytes_writer_init(&w, set->bytes, size);
		permission_set_encode(compiled, &w);
		CHECK(!w.failed && bytes_written(&w) == size);
		set->size = size;
		set = keep(set);
		set->used = true;
	}
	permission_set_release(compiled);
	return set == NULL ? UINT32_MAX : set->number;
}

void
permissions_tell(uint32_t number, unsigned worker)
{
	struct channel *channel = authd_channel(worker);
	struct set *set = number == 0 ? NULL : find(number);

	if (set == NULL || channel == NULL || (set->told & UINT64_C(1) << worker) != 0)
		return;
	CHECK(set->size <= UINT32_MAX);
	for (size_t at = 0; at < set->size || at == 0; at += PART_MAX) {
		size_t n = set->size - at < PART_MAX ? set->size - at : PART_MAX;
		const struct message_auth_permissions part = { number, (uint32_t)set->size, (uint32_t)at,
			{ (const char *)set->bytes + at, (uint32_t)n } };

		(void)message_auth_permissions_send(channel, &part, NULL, 0);
	}
	set->told |= UINT64_C(1) << worker;
}

void
permissions_worker_new(unsigned worker)
{
	CHECK(worker < AUTHD_WORKERS_MAX);
	for (struct set *set = sets; set != NULL; set = set->next)
		set->told &= ~(UINT64_C(1) << worker);
}

void
permissions_reload_begin(void)
{
	for (struct set *set = sets; set != NULL; set = set->next)
		set->used = false;
}

static void
forget(const struct set *set)
{
	const struct message_auth_forget message = { set->number };

	for (unsigned i = 0; i < AUTHD_WORKERS_MAX; i++) {
		struct channel *channel = authd_channel(i);

		if (channel != NULL && (set->told & UINT64_C(1) << i) != 0) {
			(void)message_auth_forget_send(channel, &message, NULL, 0);
			authd_watch(i);
		}
	}
}

void
permissions_reload_end(void)
{
	struct set **link = &sets, *set;

	while ((set = *link) != NULL) {
		if (set->used) {
			link = &set->next;
			continue;
		}
		*link = set->next;
		forget(set);
		memory_free(set);
	}
}
