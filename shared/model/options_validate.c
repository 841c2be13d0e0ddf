/*
 * The rules between settings that stop a start or a reload, but not -t. Called by master.
 * Pure: it looks at one struct options. Rules of features that are missing come with them.
 * From nats-server's server/server.go (validateOptions) and server/auth.go (validateAuth).
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "model/options_private.h"

static bool
validate_no_auth_user(const struct options *options, char *error, size_t size)
{
	size_t i;

	if (options->no_auth_user[0] == '\0')
		return true;
	if (options->users_length == 0) {
		snprintf(error, size, "no_auth_user: \"%s\" present, but users/nkeys are not defined", options->no_auth_user);
		return false;
	}
	for (i = 0; i < options->users_length; i++) {
		if (strcmp(options->users[i]->name, options->no_auth_user) == 0 ||
		    (options->users[i]->nkey != NULL && strcmp(options->users[i]->nkey, options->no_auth_user) == 0))
			return true;
	}
	snprintf(error, size, "no_auth_user: \"%s\" not present as user or nkey in authorization block or account configuration",
	    options->no_auth_user);
	return false;
}

bool
options_validate(const struct options *options, char *error, size_t size)
{
	char grace[40], duration[40], host[256];
	int port;

	CHECK(options->server_name != NULL && size > 0);
	error[0] = '\0';
	if (options->lame_duck_duration > 0 && options->lame_duck_grace_period >= options->lame_duck_duration) {
		text_duration_format(grace, sizeof(grace), options->lame_duck_grace_period);
		text_duration_format(duration, sizeof(duration), options->lame_duck_duration);
		snprintf(error, size, "lame duck grace period (%s) should be strictly lower than lame duck duration (%s)", grace,
		    duration);
		return false;
	}
	if (options->max_payload > options->max_pending) {
		snprintf(error, size, "max_payload (%d) cannot be higher than max_pending (%lld)", options->max_payload,
		    (long long)options->max_pending);
		return false;
	}
	if (strchr(options->server_name, ' ') != NULL) {
		snprintf(error, size, "server name cannot contain spaces");
		return false;
	}
	if (!validate_no_auth_user(options, error, size))
		return false;
	if (options->client_advertise[0] != '\0' &&
	    !options_parse_advertise(options->client_advertise, options->client.port, host, sizeof(host), &port)) {
		snprintf(error, size, "invalid ClientAdvertise value of %s", options->client_advertise);
		return false;
	}
	return true;
}

/* Copies text without the blanks around it. */
static bool
advertise_copy(char *out, size_t size, const char *text, size_t length)
{
	while (length > 0 && *text == ' ') {
		text++;
		length--;
	}
	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length >= size)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

bool
options_parse_advertise(const char *text, int default_port, char *host, size_t size, int *port)
{
	const char *close = text[0] == '[' ? strchr(text, ']') : NULL, *colon;
	const char *start = text, *end;
	char number[16];
	int64_t value = 0;

	CHECK(text != NULL && host != NULL && size > 0 && port != NULL);
	if (text[0] == '[') {
		if (close == NULL || strchr(text + 1, '[') != NULL || strchr(close + 1, ']') != NULL)
			return false;
		start = text + 1;
		end = close;
		colon = close[1] != '\0' ? close + 1 : NULL;
		if (colon != NULL && *colon != ':')
			return false;
	} else {
		colon = strchr(text, ':');
		if (strpbrk(text, "[]") != NULL || colon != strrchr(text, ':'))
			return false;
		end = colon != NULL ? colon : text + strlen(text);
	}
	if (colon != NULL && strchr(colon + 1, ':') != NULL)
		return false;
	if (colon != NULL &&
	    (!advertise_copy(number, sizeof(number), colon + 1, strlen(colon + 1)) || !options_atoi(number, &value)))
		return false;
	*port = value == 0 || value == -1 ? default_port : options_int(value);
	return *text != '\0' && advertise_copy(host, size, start, (size_t)(end - start));
}
