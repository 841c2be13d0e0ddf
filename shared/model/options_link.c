/*
 * Exports and imports of accounts against each other: is what is imported exported, to whom, and without going in a circle?
 * options_account.c calls it once all accounts are read. It keeps nothing. Rules come from nats-server's server/accounts.go.
 */
#include <string.h>

#include "base/check.h"
#include "model/options_account.h"
#include "model/subject.h"

#define ACCOUNT_CYCLE_DEPTH 1024

static bool
link_subset(const char *subject, const char *pattern)
{
	CHECK(subject != NULL && pattern != NULL);
	return subject_is_subset(subject, strlen(subject), pattern, strlen(pattern));
}

/* What is wrong with an export, or NULL. */
static const char *
link_export_error(const struct account_export *export)
{
	const char *token;
	size_t length;

	CHECK(export->subject != NULL);
	if (export->position <= 0)
		return NULL;
	if (!subject_token_at(export->subject, strlen(export->subject), (size_t) export->position, &token, &length) ||
	    length != 1 || *token != '*')
		return "sublist: invalid subject";
	return NULL;
}

/* What is wrong with the latency of a service, or NULL. */
static const char *
link_latency_error(const struct options_account_build *account, const struct account_export *export)
{
	const struct account_export *other;

	CHECK(export->service && export->latency != NULL);
	if (!subject_valid_publish(export->latency, strlen(export->latency)))
		return "invalid publish subject";
	for (other = account->exports; other != NULL; other = other->next) {
		if (other->service && !other->failed && link_subset(export->latency, other->subject))
			return "invalid publish subject";
	}
	return export->singleton ? NULL : "bad service response type";
}

static void
link_export(struct options_build *build, struct options_account_build *account, struct account_export *export)
{
	const char *what = export->service ? "service" : "stream", *error;
	size_t i;

	for (i = 0; i < export->accounts.length; i++) {
		if (!options_has_account(build, export->accounts.items[i]))
			options_error(build, build->accounts_value, "%s account not defined for %s export",
			    options_quote(build, export->accounts.items[i]), what);
	}
	error = link_export_error(export);
	if (error != NULL) {
		export->failed = true;
		options_error(build, build->accounts_value, "Error adding %s export %s: %s", what,
		    options_quote(build, export->subject), error);
		return;
	}
	if (!export->service || export->latency == NULL)
		return;
	if (build->options->no_system_account)
		options_error(build, build->accounts_value,
		    "Error adding service latency sampling for %s: system account not setup",
		    options_quote(build, export->subject));
	else if ((error = link_latency_error(account, export)) != NULL)
		options_error(build, build->accounts_value, "Error adding service latency sampling for %s on subject %s: %s",
		    options_quote(build, export->subject), options_quote(build, export->latency), error);
}

/* May the account named importer import a subject from this one? */
static bool
link_authorized(const struct options_account_build *account, const char *importer, const char *subject, bool service)
{
	const struct account_export *export, *found = NULL;
	const char *token;
	size_t i, length;
	bool exact = false;

	CHECK(account != NULL && importer != NULL && subject != NULL);
	for (export = account->exports; export != NULL && !exact; export = export->next) {
		if (export->service != service || export->failed)
			continue;
		exact = strcmp(export->subject, subject) == 0;
		if (exact || (found == NULL && link_subset(subject, export->subject)))
			found = export;
	}
	if (found == NULL)
		return false;
	if (found->position > 0)
		return !exact && subject_token_at(subject, strlen(subject), (size_t)found->position, &token, &length) &&
		    length == strlen(importer) && memcmp(token, importer, length) == 0;
	for (i = 0; i < found->accounts.length; i++) {
		if (strcmp(found->accounts.items[i], importer) == 0)
			return true;
	}
	return found->accounts.length == 0;
}

static bool
link_exports_stream(const struct options_account_build *account, const char *subject)
{
	const struct account_export *export;

	for (export = account->exports; export != NULL; export = export->next) {
		if (!export->service && !export->failed && link_subset(subject, export->subject))
			return true;
	}
	return false;
}

/* Follows imports from an account on; what is wrong (a cycle), or NULL. Recursion is as deep as accounts visited, at most the
 * limit. */
static const char *
link_cycle(struct options_account_build *account, const char *subject, bool service, unsigned depth)
{
	const struct account_import *import;
	const char *error, *mine, *next;

	CHECK(account != NULL && subject != NULL);
	if (depth >= ACCOUNT_CYCLE_DEPTH)
		return "search cycle depth exhausted";
	if (!service && !link_exports_stream(account, subject))
		return NULL;
	for (import = account->linked; import != NULL; import = import->next) {
		mine = service ? import->subject : import->to;
		if (import->service != service || !subject_collide(subject, strlen(subject), mine, strlen(mine)))
			continue;
		if (import->account->visited)
			return "import forms a cycle";
		account->visited = true;
		next = service ? import->from : import->to;
		next = link_subset(next, subject) ? next : subject;
		error = link_cycle(import->account, next, service, depth + 1);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static const char *
link_cycle_error(
    struct options_build *build, struct options_account_build *account, struct account_import *import, const char *subject)
{
	struct options_account_build *other;

	CHECK(import->account != NULL);
	for (other = build->accounts; other != NULL; other = other->next)
		other->visited = false;
	account->visited = true;
	return link_cycle(import->account, subject, import->service, 1);
}

/* What is wrong with a stream import, or NULL. Its local subject ends up in import->to. */
static const char *
link_stream_error(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const struct account_import *other;
	const char *error, *to = import->to;
	size_t length = strlen(import->prefix);

	CHECK(!import->service && import->account != NULL);
	if (!subject_valid(import->subject, strlen(import->subject)) ||
	    !link_authorized(import->account, account->name, import->subject, false))
		return "stream import not authorized";
	if (length > 0) {
		if (subject_has_wildcard(import->prefix, length))
			return "stream import prefix can not contain wildcard tokens";
		to = options_format(build, "%s%s%s", import->prefix, import->prefix[length - 1] == '.' ? "" : ".", import->subject);
	}
	if (to[0] == '\0')
		to = import->subject;
	if ((error = link_cycle_error(build, account, import, to)) != NULL ||
	    (error = link_cycle_error(build, account, import, import->subject)) != NULL)
		return error;
	if (subject_has_wildcard(import->subject, strlen(import->subject)) && strcmp(to, import->subject) != 0) {
		error = options_transform_error(build, import->subject, options_transform_tokenize(build, to), true);
		if (error != NULL)
			return options_format(build,
			    "failed to create mapping transform for stream import subject from %s to %s: %s",
			    options_quote(build, import->subject), options_quote(build, to), error);
		to = options_transform_untokenize(build, to);
	}
	import->to = to;
	for (other = account->linked; other != NULL; other = other->next) {
		if (!other->service && other->account == import->account && strcmp(other->subject, import->subject) == 0)
			return "stream import already exists";
	}
	return NULL;
}

/* What is wrong with a service import, or NULL. */
static const char *
link_service_error(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const struct account_import *other;
	const char *error, *from = import->to, *to = import->subject;
	bool wild = subject_has_wildcard(to, strlen(to));

	CHECK(import->service && import->account != NULL);
	if (!subject_valid(from, strlen(from)) || !subject_valid(to, strlen(to)))
		return "sublist: invalid subject";
	if (!link_authorized(import->account, account->name, to, true))
		return "service import not authorized";
	error = link_cycle_error(build, account, import, wild ? options_transform_untokenize(build, from) : from);
	if (error != NULL)
		return error;
	for (other = account->linked; other != NULL; other = other->next) {
		if (other->service && other->account == import->account && strcmp(other->from, from) == 0)
			return options_format(build,
			    "duplicate service import subject %s, previously used in import for account %s, subject %s",
			    options_quote(build, from), options_quote(build, other->account_name),
			    options_quote(build, other->subject));
	}
	import->from = from;
	if (wild && strcmp(to, from) != 0) {
		error = options_transform_error(
		    build, options_transform_untokenize(build, to), options_transform_tokenize(build, from), true);
		if (error != NULL)
			return options_format(build,
			    "failed to create mapping transform for service import subject from %s to %s: %s",
			    options_quote(build, from), options_quote(build, to), error);
		import->from = options_transform_untokenize(build, from);
	}
	return NULL;
}

static void
link_import(struct options_build *build, struct options_account_build *account, struct account_import *import)
{
	const char *what = import->service ? "service" : "stream", *error;
	struct account_import *linked;

	CHECK(import->account_name != NULL);
	import->account = options_find_account(build, import->account_name);
	if (import->account == NULL) {
		options_error(build, build->accounts_value, "%s account not defined for %s import",
		    options_quote(build, import->account_name), what);
		return;
	}
	error = import->service ? link_service_error(build, account, import) : link_stream_error(build, account, import);
	if (error != NULL) {
		options_error(build, build->accounts_value, "Error adding %s import %s: %s", what,
		    options_quote(build, import->subject), error);
		return;
	}
	linked = options_alloc(build, sizeof(*linked));
	*linked = *import;
	linked->next = account->linked;
	account->linked = linked;
}

void
options_link_accounts(struct options_build *build)
{
	struct options_account_build *account;
	struct account_export *export;
	struct account_import *import;
	int services;

	CHECK(build->accounts_value != NULL && build->errors.length == 0);
	for (services = 0; services <= 1; services++) {
		for (account = build->accounts; account != NULL; account = account->next) {
			for (export = account->exports; export != NULL; export = export->next) {
				if (export->service == (services == 1))
					link_export(build, account, export);
			}
		}
	}
	for (services = 0; services <= 1; services++) {
		for (account = build->accounts; account != NULL; account = account->next) {
			for (import = account->imports; import != NULL; import = import->next) {
				if (import->service == (services == 1))
					link_import(build, account, import);
			}
		}
	}
}
