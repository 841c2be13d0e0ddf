/*
 * Mappings of subjects, at the top and in accounts. Rows of options.def call it. They are checked and not kept.
 * Rules come from nats-server's server/opts.go (parseAccountMappings) and server/accounts.go (AddWeightedMappings).
 */
#include <string.h>

#include "base/check.h"
#include "model/options_private.h"
#include "model/subject.h"

void
options_mapping_weight(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_mapping *mapping = setting->target;
	const struct conf_value *value = setting->value;
	int64_t weight = 0;
	size_t length;
	char *text;

	CHECK(mapping != NULL);
	mapping->weight_set = true;
	mapping->failed = true;
	if (value->type == CONF_INTEGER) {
		weight = value->integer;
	} else if (value->type == CONF_STRING) {
		length = value->length > 0 && value->string[value->length - 1] == '%' ? value->length - 1 : value->length;
		text = options_copy(build, value->string, length);
		if (!options_atoi(text, &weight)) {
			options_error(build, value, "Invalid weight %s for mapping destination", options_quote(build, text));
			return;
		}
	} else {
		options_error(build, value, "Unknown entry type for weight of %s", options_show(build, value));
		return;
	}
	if (weight < 0 || weight > 100) {
		options_error(build, value, "Invalid weight %lld for mapping destination", (long long)weight);
		return;
	}
	mapping->weight = (int)weight;
	mapping->failed = false;
}

/* One destination block; false after an error. */
static bool
mapping_destination(struct options_build *build, const struct conf_value *value, struct options_mapping *mapping)
{
	size_t errors = build->errors.length;

	CHECK(build != NULL && value != NULL);
	*mapping = (struct options_mapping){ .destination = options_copy(build, "", 0), .cluster = options_copy(build, "", 0) };
	if (value->type != CONF_MAP) {
		options_error(build, value, "Expected an entry for the mapping destination");
		return false;
	}
	options_block(build, "mappings.*", value, mapping);
	if (build->errors.length > errors)
		return false;
	if (!mapping->weight_set)
		options_error(
		    build, value, "Missing weight for mapping destination %s", options_quote(build, mapping->destination));
	return mapping->weight_set;
}

/* What is wrong with the destinations of a subject taken together, or NULL. */
static const char *
mapping_error(struct options_build *build, const char *subject, const struct options_mapping *mappings, size_t length)
{
	const char *error;
	int total;
	size_t i, j;

	CHECK(mappings != NULL || length == 0);
	for (i = 0; i < length; i++) {
		total = 0;
		for (j = 0; j <= i; j++) {
			if (j < i && strcmp(mappings[j].destination, mappings[i].destination) == 0)
				return options_format(
				    build, "duplicate entry for %s", options_quote(build, mappings[i].destination));
			if (strcmp(mappings[j].cluster, mappings[i].cluster) == 0)
				total += mappings[j].weight;
		}
		if (total > 100)
			return "total weight needs to be <= 100";
		error = options_mapping_error(build, subject, mappings[i].destination);
		if (error != NULL)
			return error;
	}
	return NULL;
}

static void
mapping_one(struct options_build *build, const char *subject, const struct conf_value *value)
{
	struct options_mapping *mappings;
	const char *error;
	char *text;
	size_t i, length = 0;

	CHECK(build != NULL && value != NULL);
	if (value->type == CONF_STRING) {
		if (!options_want_string(build, value, &text))
			return;
		error = options_mapping_error(build, subject, text);
		if (error != NULL)
			options_error(build, value, "Error adding mapping for %s to %s : %s", options_quote(build, subject),
			    options_quote(build, text), error);
		return;
	}
	mappings = options_array(build, value->type == CONF_ARRAY ? value->length : 1, sizeof(mappings[0]));
	if (value->type != CONF_ARRAY && mapping_destination(build, value, &mappings[0]))
		length = 1;
	for (i = 0; value->type == CONF_ARRAY && i < value->length; i++) {
		if (mapping_destination(build, value->entries[i].value, &mappings[length]))
			length++;
	}
	error = mapping_error(build, subject, mappings, length);
	if (error != NULL)
		options_error(build, value, "Error adding mapping for %s : %s", options_quote(build, subject), error);
}

static void
mapping_all(struct options_build *build, const struct conf_value *value)
{
	size_t i;

	CHECK(build != NULL && value != NULL);
	if (value->type != CONF_MAP) {
		options_error(build, value, "expected a block, but got %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		if (!subject_valid(value->entries[i].key, value->entries[i].key_length))
			options_error(
			    build, value, "Subject %s is not a valid subject", options_quote(build, value->entries[i].key));
		else
			mapping_one(build, value->entries[i].key, value->entries[i].value);
	}
}

void
options_mappings(const struct option_setting *setting)
{
	mapping_all(setting->build, setting->value);
}

void
options_account_mappings(const struct option_setting *setting)
{
	mapping_all(setting->build, setting->value);
}
