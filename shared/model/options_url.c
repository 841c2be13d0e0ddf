/*
 * Addresses and urls as Go's net and net/url packages take them, since nats-server's verdict on a configuration depends on theirs.
 * The options_*.c files call it. Results lie in the options' arena. It resolves no names and opens nothing.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "model/conf_lex.h"
#include "model/options_private.h"

enum url_part { URL_USER, URL_PATH, URL_HOST, URL_ZONE };

static bool
url_hex(char c, unsigned *value)
{
	if (c >= '0' && c <= '9')
		*value = (unsigned)(c - '0');
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		*value = (unsigned)((c | 0x20) - 'a' + 10);
	else
		return false;
	return true;
}

static bool
url_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool
url_host_character(char c)
{
	return (unsigned char)c >= 0x80 || url_alphanumeric(c) || (c != '\0' && strchr("-_.~!$&'()*+,;=:[]<>\"", c) != NULL);
}

/* Replaces %XX. out (size length + 1) may be text itself. False when an escape is wrong, or a character may not stand there. */
static bool
url_unescape(const char *text, size_t length, enum url_part part, char *out)
{
	unsigned high, low;
	size_t i;
	bool percent;

	CHECK(text != NULL && out != NULL);
	for (i = 0; i < length; i++) {
		if (text[i] != '%') {
			if ((part == URL_HOST || part == URL_ZONE) && !url_host_character(text[i]))
				return false;
			*out++ = text[i];
			continue;
		}
		if (length - i < 3 || !url_hex(text[i + 1], &high) || !url_hex(text[i + 2], &low))
			return false;
		percent = high == 2 && low == 5;
		if (part == URL_HOST && high < 8 && !percent)
			return false;
		if (part == URL_ZONE && !percent && (high << 4 | low) != ' ' && !url_host_character((char)(high << 4 | low)))
			return false;
		*out++ = (char)(high << 4 | low);
		i += 2;
	}
	*out = '\0';
	return true;
}

/* "" or ":" and digits. */
static bool
url_port_valid(const char *port)
{
	CHECK(port != NULL);
	return *port == '\0' || (*port == ':' && port[1 + strspn(port + 1, "0123456789")] == '\0');
}

/* The host between brackets must be an IPv6 address, with or without zone. */
static bool
url_literal_valid(struct options_build *build, const char *host, size_t length)
{
	struct in6_addr address;
	char *plain = options_copy(build, host, length), *zone = strstr(plain, "%25");
	char *percent;

	CHECK(host != NULL);
	if (zone != NULL) {
		if (!url_unescape(zone, strlen(zone), URL_ZONE, zone))
			return false;
		if (zone[1] == '\0')
			return false;
		*zone = '\0';
	}
	if (!url_unescape(plain, strlen(plain), URL_HOST, plain))
		return false;
	percent = strchr(plain, '%');
	if (percent != NULL) {
		if (percent[1] == '\0')
			return false;
		*percent = '\0';
	}
	return inet_pton(AF_INET6, plain, &address) == 1;
}

static bool
url_host_valid(struct options_build *build, const char *scheme, const char *host)
{
	const char *bracket = strrchr(host, '['), *close, *colon, *last;

	if (bracket != NULL) {
		close = strrchr(host, ']');
		return bracket == host && close != NULL && url_port_valid(close + 1) &&
		    url_literal_valid(build, host + 1, (size_t)(close - host - 1));
	}
	colon = strchr(host, ':');
	last = strrchr(host, ':');
	if (colon != last && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		colon = last;
	return colon == NULL || url_port_valid(colon);
}

static bool
url_user_valid(const char *user, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if (!url_alphanumeric(user[i]) && (user[i] == '\0' || strchr("-._:~!$&'()*+,;=%@", user[i]) == NULL))
			return false;
	}
	return true;
}

/* "user:password@host:port" */
static bool
url_authority(struct options_build *build, const char *text, size_t length, struct options_url *out)
{
	char *authority = options_copy(build, text, length), *at = strrchr(authority, '@'), *colon;

	CHECK(out->scheme != NULL);
	out->host = at != NULL ? at + 1 : authority;
	if (!url_host_valid(build, out->scheme, out->host))
		return false;
	if (out->host[0] != '[' && !url_unescape(out->host, strlen(out->host), URL_HOST, out->host))
		return false;
	if (at == NULL)
		return true;
	if (!url_user_valid(authority, (size_t)(at - authority)))
		return false;
	*at = '\0';
	out->has_user = true;
	out->user = authority;
	colon = strchr(authority, ':');
	if (colon != NULL) {
		*colon = '\0';
		out->has_password = true;
		out->password = colon + 1;
		if (!url_unescape(out->password, strlen(out->password), URL_USER, out->password))
			return false;
	}
	return url_unescape(authority, strlen(authority), URL_USER, authority);
}

/* Cuts the scheme off: its length, 0 when there is none; false when the text starts with ':'. */
static bool
url_scheme(const char *text, size_t *length)
{
	size_t i;

	CHECK(text != NULL);
	*length = 0;
	for (i = 0; text[i] != '\0'; i++) {
		if (text[i] == ':') {
			*length = i;
			return i > 0;
		}
		if ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z')
			continue;
		if (i == 0 || (!(text[i] >= '0' && text[i] <= '9') && strchr("+-.", text[i]) == NULL))
			break;
	}
	return true;
}

/* What comes after the scheme, without query and fragment. */
static bool
url_rest(struct options_build *build, char *rest, struct options_url *out)
{
	bool authority;
	size_t length;

	CHECK(out->scheme != NULL);
	if (rest[0] != '/') {
		if (out->scheme[0] != '\0')
			return true;
		length = strcspn(rest, "/");
		if (memchr(rest, ':', length) != NULL)
			return false;
	}
	authority = strncmp(rest, "//", 2) == 0 && (out->scheme[0] != '\0' || rest[2] != '/');
	if (authority) {
		length = strcspn(rest + 2, "/");
		if (!url_authority(build, rest + 2, length, out))
			return false;
		rest += 2 + length;
	}
	return url_unescape(rest, strlen(rest), URL_PATH, rest);
}

bool
options_url_parse(struct options_build *build, const char *text, struct options_url *out)
{
	char *rest = options_copy(build, text, strlen(text)), *fragment = strchr(rest, '#');
	size_t i, length;

	CHECK(text != NULL && out != NULL);
	*out = (struct options_url){ .scheme = options_copy(build, "", 0), .host = options_copy(build, "", 0) };
	for (i = 0; rest[i] != '\0'; i++) {
		if ((unsigned char)rest[i] < ' ' || rest[i] == 0x7f)
			return false;
	}
	if (fragment != NULL) {
		*fragment++ = '\0';
		if (!url_unescape(fragment, strlen(fragment), URL_PATH, fragment))
			return false;
	}
	if (strcmp(rest, "*") == 0)
		return true;
	if (!url_scheme(rest, &length))
		return false;
	if (length > 0) {
		out->scheme = options_copy(build, rest, length);
		for (i = 0; i < length; i++) {
			if (rest[i] >= 'A' && rest[i] <= 'Z')
				out->scheme[i] = (char)(rest[i] | 0x20);
		}
		rest += length + 1;
	}
	rest[strcspn(rest, "?")] = '\0';
	return url_rest(build, rest, out);
}

/* Go's strings.TrimSpace. */
static char *
url_trim(struct options_build *build, const char *text)
{
	size_t length = strlen(text), width;
	uint32_t character;

	CHECK(text != NULL);
	while (length > 0 && (width = text_rune(text, length, &character)) > 0 && conf_lex_space(character)) {
		text += width;
		length -= width;
	}
	while (length > 0) {
		width = 1;
		while (width < length && width < 4 && ((unsigned char)text[length - width] & 0xc0) == 0x80)
			width++;
		if (text_rune(text + length - width, width, &character) != width || !conf_lex_space(character))
			break;
		length -= width;
	}
	return options_copy(build, text, length);
}

/* An url for messages: what stands before its last '@' is a secret. */
static const char *
url_hide_user(struct options_build *build, const char *url)
{
	const char *authority = strstr(url, "://"), *at = strrchr(url, '@');

	if (at == NULL)
		return url;
	authority = authority != NULL && authority < at ? authority + 3 : url;
	return options_format(build, "%.*s[REDACTED]%s", (int)(authority - url), url, at);
}

bool
options_want_url(struct options_build *build, const struct conf_value *value, const char *type, char **text)
{
	struct options_url url;
	char *written;

	CHECK(build != NULL && value != NULL);
	if (!options_want_string(build, value, &written))
		return false;
	*text = url_trim(build, written);
	if (options_url_parse(build, *text, &url))
		return true;
	options_error(build, value, "error parsing %s url [%s]", type, options_quote(build, url_hide_user(build, *text)));
	return false;
}

void
options_want_urls(struct options_build *build, const struct conf_value *list, const char *type, struct options_list *out)
{
	struct options_list good = { 0 };
	const struct conf_value *value;
	size_t i, j;
	char *text;

	CHECK(list->type == CONF_ARRAY);
	good.items = options_array(build, list->length, sizeof(good.items[0]));
	for (i = 0; i < list->length; i++) {
		value = list->entries[i].value;
		for (j = 0; value->type == CONF_STRING && j < i; j++) {
			if (list->entries[j].value->type == CONF_STRING &&
			    strcmp(list->entries[j].value->string, value->string) == 0)
				break;
		}
		if (value->type == CONF_STRING && j < i) {
			options_warning(build, value, "invalid use of field %s: Duplicate %s entry detected",
			    options_quote(build, url_hide_user(build, value->string)), type);
			continue;
		}
		if (options_want_url(build, value, type, &text))
			good.items[good.length++] = text;
	}
	if (out != NULL)
		*out = good;
}

bool
options_split_host_port(struct options_build *build, const char *text, char **host, char **port)
{
	const char *last = strrchr(text, ':'), *close;

	CHECK(text != NULL && host != NULL && port != NULL);
	if (last == NULL)
		return false;
	if (text[0] == '[') {
		close = strchr(text, ']');
		if (close == NULL || close + 1 != last || strchr(text + 1, '[') != NULL || strchr(close + 1, ']') != NULL)
			return false;
		*host = options_copy(build, text + 1, (size_t)(close - text - 1));
	} else {
		*host = options_copy(build, text, (size_t)(last - text));
		if (strchr(*host, ':') != NULL || strchr(text, '[') != NULL || strchr(text, ']') != NULL)
			return false;
	}
	*port = options_copy(build, last + 1, strlen(last + 1));
	return true;
}

bool
options_atoi(const char *text, int64_t *out)
{
	CHECK(text != NULL && out != NULL);
	return text_parse_i64(text, strlen(text), out);
}
