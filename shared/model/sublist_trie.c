/*
 * The wildcard patterns of a sublist as a trie of tokens: insert, remove, match.  All of it is loops, however deep the patterns.
 * A place with few literal children keeps them in a list; with many, they are also in the table of edges, by (parent, token).
 */
#include "model/sublist_private.h"

#include "base/memory.h"
#include "model/subject.h"

#define CHILDREN_HASH 8 /* above: hashed */
#define CHILDREN_LIST 4 /* below: no longer hashed */

struct edge_key {
	const struct trie_node *parent;
	const char *text;
	uint32_t length;
};

static bool
edge_same(const void *object, const void *key)
{
	const struct trie_node *node = object;
	const struct edge_key *edge = key;

	return node->parent == edge->parent && node->length == edge->length && memcmp(node->token, edge->text, edge->length) == 0;
}

static uint32_t
edge_hash(const struct trie_node *parent, uint32_t token_hash)
{
	uint64_t mixed = ((uint64_t)(uintptr_t)parent >> 3) * 0x9e3779b97f4a7c15ULL;

	return token_hash ^ (uint32_t)(mixed >> 32);
}

static struct trie_node *
child_find(const struct trie *trie, const struct trie_node *parent, struct trie_token *token)
{
	struct edge_key key = { parent, token->text, token->length };

	if (!parent->hashed) {
		for (struct trie_node *child = parent->first; child != NULL; child = child->next)
			if (child->length == token->length && memcmp(child->token, token->text, token->length) == 0)
				return child;
		return NULL;
	}
	if (token->hash == 0)
		token->hash = sublist_hash(token->text, token->length);
	return sublist_table_find(&trie->edges, edge_hash(parent, token->hash), edge_same, &key);
}

static void
children_unhash(struct trie *trie, struct trie_node *parent)
{
	for (struct trie_node *child = parent->first; child != NULL; child = child->next)
		sublist_table_remove(&trie->edges, child);
	parent->hashed = false;
}

static bool
children_hash(struct trie *trie, struct trie_node *parent)
{
	for (struct trie_node *child = parent->first; child != NULL; child = child->next) {
		child->hash = edge_hash(parent, sublist_hash(child->token, child->length));
		if (sublist_table_insert(&trie->edges, child))
			continue;
		for (struct trie_node *back = parent->first; back != child; back = back->next)
			sublist_table_remove(&trie->edges, back);
		return false;
	}
	parent->hashed = true;
	return true;
}

static struct trie_node *
place_make(struct sublist *list, struct trie_node *parent, const char *token, size_t length)
{
	struct trie_node *place = sublist_object_alloc(list, sizeof(*place) + length);

	if (place == NULL)
		return NULL;
	memset(place, 0, sizeof(*place));
	place->parent = parent;
	place->length = (uint32_t)length;
	if (length > 0)
		memcpy(place->token, token, length);
	return place;
}

static void
place_free(struct sublist *list, struct trie_node *place)
{
	sublist_object_free(list, place, sizeof(*place) + place->length);
}

static void
child_unlink(struct trie *trie, struct trie_node *child)
{
	struct trie_node *parent = child->parent;

	CHECK(parent->children > 0);
	if (child->previous != NULL)
		child->previous->next = child->next;
	else
		parent->first = child->next;
	if (child->next != NULL)
		child->next->previous = child->previous;
	parent->children--;
	if (!parent->hashed)
		return;
	sublist_table_remove(&trie->edges, child);
	if (parent->children < CHILDREN_LIST)
		children_unhash(trie, parent);
}

/* The child, made when it is not there; NULL: no memory. */
static struct trie_node *
child_get(struct sublist *list, struct trie_node *parent, struct trie_token *token)
{
	struct trie *trie = &list->trie;
	struct trie_node *child = child_find(trie, parent, token);

	if (child != NULL)
		return child;
	child = place_make(list, parent, token->text, token->length);
	if (child == NULL)
		return NULL;
	if (parent->hashed) {
		child->hash = edge_hash(parent, token->hash);
		if (!sublist_table_insert(&trie->edges, child)) {
			place_free(list, child);
			return NULL;
		}
	}
	child->next = parent->first;
	if (child->next != NULL)
		child->next->previous = child;
	parent->first = child;
	parent->children++;
	/* Without memory for the table the list serves on, slower. */
	if (!parent->hashed && parent->children > CHILDREN_HASH)
		(void)children_hash(trie, parent);
	return child;
}

static struct trie_node *
any_get(struct sublist *list, struct trie_node *parent)
{
	if (parent->any == NULL) {
		parent->any = place_make(list, parent, NULL, 0);
		if (parent->any != NULL)
			parent->any->by_any = true;
	}
	return parent->any;
}

/* Frees the place and those above it that hold nothing any more. */
static void
place_prune(struct sublist *list, struct trie_node *place)
{
	while (place != NULL && place->here == NULL && place->star == NULL && place->full == NULL && place->any == NULL &&
	    place->children == 0) {
		struct trie_node *parent = place->parent;

		CHECK(place->first == NULL);
		if (parent == NULL)
			list->trie.root = NULL;
		else if (place->by_any)
			parent->any = NULL;
		else
			child_unlink(&list->trie, place);
		place_free(list, place);
		place = parent;
	}
}

/* Room for walks over patterns of that many tokens. */
static bool
trie_scratch(struct trie *trie, uint32_t levels)
{
	struct trie_token *tokens;
	struct trie_visit *visits;

	if (levels <= trie->levels)
		return true;
	if (levels < 2 * trie->levels)
		levels = 2 * trie->levels;
	tokens = memory_realloc(trie->tokens, levels * sizeof(tokens[0]));
	if (tokens == NULL)
		return false;
	trie->tokens = tokens;
	visits = memory_realloc(trie->visits, (levels + 2) * sizeof(visits[0]));
	if (visits == NULL)
		return false;
	trie->visits = visits;
	trie->levels = levels;
	return true;
}

static void
trie_scratch_free(struct trie *trie)
{
	memory_free(trie->tokens);
	memory_free(trie->visits);
	trie->tokens = NULL;
	trie->visits = NULL;
	trie->levels = 0;
}

static bool
token_is(const struct trie_token *token, char wildcard)
{
	return token->length == 1 && token->text[0] == wildcard;
}

/*
 * The place and slot where a pattern ends.  With "make", places on the way are made, and *place is the last one reached when the
 * memory ends; without, all of them must be there.
 */
static struct sublist_node **
pattern_slot(struct sublist *list, const struct sublist_node *node, bool make, struct trie_node **place)
{
	struct subject_tokens tokens;
	struct trie_token token = { 0 };
	size_t length;

	*place = list->trie.root;
	subject_tokens_init(&tokens, node->subject, node->length);
	while (subject_tokens_next(&tokens, &token.text, &length)) {
		struct trie_node *next;

		token.length = (uint32_t)length;
		token.hash = 0;
		if (token_is(&token, '>'))
			return &(*place)->full;
		if (token_is(&token, '*') && tokens.done)
			return &(*place)->star;
		if (token_is(&token, '*'))
			next = make ? any_get(list, *place) : (*place)->any;
		else
			next = make ? child_get(list, *place, &token) : child_find(&list->trie, *place, &token);
		if (next == NULL)
			return NULL;
		*place = next;
	}
	return &(*place)->here;
}

bool
sublist_trie_insert(struct sublist *list, struct sublist_node *node)
{
	struct trie *trie = &list->trie;
	struct sublist_node **slot;
	struct trie_node *place;

	CHECK(node->wildcard);
	if (!trie_scratch(trie, (uint32_t)subject_token_count(node->subject, node->length)))
		return false;
	if (trie->root == NULL && (trie->root = place_make(list, NULL, NULL, 0)) == NULL)
		return false;
	slot = pattern_slot(list, node, true, &place);
	if (slot == NULL) {
		place_prune(list, place);
		return false;
	}
	CHECK(*slot == NULL);
	*slot = node;
	return true;
}

void
sublist_trie_remove(struct sublist *list, struct sublist_node *node)
{
	struct sublist_node **slot;
	struct trie_node *place;

	CHECK(list->trie.root != NULL);
	slot = pattern_slot(list, node, false, &place);
	CHECK(slot != NULL && *slot == node);
	*slot = NULL;
	place_prune(list, place);
	if (list->trie.root == NULL)
		trie_scratch_free(&list->trie);
}

/* Cuts the subject into the scratch, as far as patterns go; the number of all its tokens, or 0 when one is empty. */
static uint32_t
subject_cut(struct trie *trie, const char *subject, size_t length)
{
	uint32_t count = 0;
	size_t start = 0;

	for (size_t i = 0; i <= length; i++) {
		if (i < length && subject[i] != '.')
			continue;
		if (i == start)
			return 0;
		if (count < trie->levels) {
			trie->tokens[count].text = subject + start;
			trie->tokens[count].length = (uint32_t)(i - start);
			trie->tokens[count].hash = 0;
		}
		count++;
		start = i + 1;
	}
	return count;
}

bool
sublist_trie_match(
    struct sublist *list, const char *subject, size_t length, bool first, struct sublist_result *result, uint32_t *visited)
{
	struct trie *trie = &list->trie;
	uint32_t total = subject_cut(trie, subject, length);
	uint32_t stacked = 0;
	bool complete = true;

	*visited = 0;
	if (total == 0 || trie->root == NULL)
		return true;
	trie->visits[stacked++] = (struct trie_visit){ trie->root, 0 };
	while (stacked > 0 && !(first && result->count > 0)) {
		struct trie_node *place = trie->visits[--stacked].node;
		uint32_t depth = trie->visits[stacked].depth;
		bool last = depth + 1 == total;
		bool deeper = !last && depth + 1 < trie->levels;
		struct trie_node *child;

		(*visited)++;
		CHECK(depth < total && depth < trie->levels);
		if (place->full != NULL)
			complete = sublist_result_add(result, place->full) && complete;
		if (last && place->star != NULL)
			complete = sublist_result_add(result, place->star) && complete;
		if (deeper && place->any != NULL)
			trie->visits[stacked++] = (struct trie_visit){ place->any, depth + 1 };
		child = place->children > 0 ? child_find(trie, place, &trie->tokens[depth]) : NULL;
		if (child != NULL && last && child->here != NULL)
			complete = sublist_result_add(result, child->here) && complete;
		if (child != NULL && deeper)
			trie->visits[stacked++] = (struct trie_visit){ child, depth + 1 };
		CHECK(stacked < trie->levels + 2);
	}
	return complete;
}

/* Frees by going down to a leaf and pruning up from it. */
void
sublist_trie_free(struct sublist *list)
{
	struct trie_node *place = list->trie.root;

	while (place != NULL) {
		struct trie_node *parent = place->parent;

		if (place->any != NULL) {
			place = place->any;
		} else if (place->first != NULL) {
			place = place->first;
		} else {
			if (parent != NULL && place->by_any)
				parent->any = NULL;
			else if (parent != NULL)
				parent->first = place->next;
			place_free(list, place);
			place = parent;
		}
	}
	list->trie.root = NULL;
	sublist_table_free(&list->trie.edges);
	trie_scratch_free(&list->trie);
}
