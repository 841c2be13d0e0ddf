/*
 * Shared by options_account.c, options_export.c and options_link.c only: accounts while they are being loaded.
 */
#ifndef MODEL_OPTIONS_ACCOUNT_H
#define MODEL_OPTIONS_ACCOUNT_H

#include "model/options_private.h"

struct account_export {
	const char *subject;
	struct options_list accounts; /* that may import it; empty: all */
	int64_t position;             /* token that must be the importer's name */
	bool service;
	bool singleton;
	const char *latency; /* subject, or NULL */
	bool failed;         /* link only: not added */
	struct account_export *next;
};

struct account_import {
	struct options_account_build *account; /* that exports it; NULL until linked */
	const char *account_name;
	const char *subject;
	const char *to;
	const char *prefix;
	bool service;
	/* Once linked: */
	const char *from;
	struct account_import *next;
};

struct options_account_build {
	const char *name;
	const struct conf_value *users_value;
	struct options_auth auth;
	struct account_export *exports;
	struct account_export **last_export;
	struct account_import *imports; /* as the file has them */
	struct account_import **last_import;
	struct account_import *linked; /* those accepted so far */
	bool visited;
	bool trace_dest;
	bool trace_sampling;
	struct options_account_build *next;
};

/* The account of this name, or NULL. */
struct options_account_build *options_find_account(const struct options_build *, const char *name);

/* options_link.c: checks exports and imports of all accounts against each other. */
void options_link_accounts(struct options_build *);

#endif
