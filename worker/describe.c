/*
 * How a connection is called in the log, and the protocol trace. Texts as nats-server's (client.go initClient, processConnect,
 * traceOp, traceMsgInternal), since people search their logs for them. Used only where something is logged.
 */
#include "worker.h"

#include <arpa/inet.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum {
	DESCRIBE_PART_MAX = 768,   /* bytes shown of program or login */
	DESCRIBE_QUOTED_MAX = 1024 /* of its quoted form */
};

void
client_address_text(const struct client *client, char *buffer, size_t size)
{
	const char *text;

	if (IN6_IS_ADDR_V4MAPPED(&client->address))
		text = inet_ntop(AF_INET, client->address.s6_addr + 12, buffer, (socklen_t)size);
	else
		text = inet_ntop(AF_INET6, &client->address, buffer, (socklen_t)size);
	CHECK(text != NULL);
}

static size_t
describe_append(char *buffer, size_t size, size_t length, const char *text, size_t n)
{
	if (n > size - length)
		n = size - length;
	if (n > 0)
		memcpy(buffer + length, text, n);
	return length + n;
}

/* "v1:lang:name", of what CONNECT gave. Not NUL-ended: the texts may hold any bytes. */
static size_t
describe_program(const struct nats_connect *connect, char *buffer, size_t size)
{
	const struct nats_text *parts[] = { &connect->version, &connect->lang, &connect->name };
	size_t length = 0, i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->length == 0)
			continue;
		if (length > 0)
			length = describe_append(buffer, size, length, ":", 1);
		if (i == 0)
			length = describe_append(buffer, size, length, "v", 1);
		length = describe_append(buffer, size, length, parts[i]->at, parts[i]->length);
	}
	return length;
}

/* "$G/user:name", "$G/token" (client.go getAuthUserLabel). */
static size_t
describe_login(const struct client *client, const struct nats_connect *connect, char *buffer, size_t size)
{
	const char *account = client->account->number == BROKER_ACCOUNT_SYSTEM ? "$SYS/" : "$G/";
	size_t length = describe_append(buffer, size, 0, account, strlen(account));

	if (connect->user.length > 0) {
		length = describe_append(buffer, size, length, "user:", 5);
		return describe_append(buffer, size, length, connect->user.at, connect->user.length);
	}
	if (connect->auth_token.length > 0)
		return describe_append(buffer, size, length, "token", 5);
	if (client->user != NULL) {
		length = describe_append(buffer, size, length, "user:", 5);
		return describe_append(buffer, size, length, client->user, strlen(client->user));
	}
	return 0;
}

void
client_set_label(struct client *client)
{
	char text[DESCRIBE_PART_MAX], quoted[DESCRIBE_QUOTED_MAX], label[2 * DESCRIBE_QUOTED_MAX + 8];
	size_t length = 0, n;

	label[0] = '\0';
	if ((n = describe_program(client->connect, text, sizeof(text))) > 0) {
		(void)text_quote(quoted, sizeof(quoted), text, n);
		length = (size_t)snprintf(label, sizeof(label), " - %s", quoted);
	}
	if ((n = describe_login(client, client->connect, text, sizeof(text))) > 0) {
		(void)text_quote(quoted, sizeof(quoted), text, n);
		(void)snprintf(label + length, sizeof(label) - length, " - %s", quoted);
	}
	memory_free(client->label);
	client->label = label[0] == '\0' ? NULL : memory_string(label, strlen(label));
}

const char *
client_login_text(const struct client *client, char *buffer, size_t size)
{
	const struct nats_connect *connect = client->connect;
	char quoted[DESCRIBE_QUOTED_MAX];

	if (connect == NULL)
		return NULL;
	if (connect->user.length > 0) {
		(void)text_quote(quoted, sizeof(quoted), connect->user.at, connect->user.length);
		(void)snprintf(buffer, size, "User %s", quoted);
		return buffer;
	}
	return connect->auth_token.length > 0 ? "Token \"[REDACTED]\"" : NULL;
}

const char *
client_description(const struct client *client, char *buffer, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	bool v4 = IN6_IS_ADDR_V4MAPPED(&client->address);

	client_address_text(client, address, sizeof(address));
	(void)snprintf(buffer, size, v4 ? "%s:%u - cid:%llu%s" : "[%s]:%u - cid:%llu%s", address, client->port,
	    (unsigned long long)client->id, client->label == NULL ? "" : client->label);
	return buffer;
}

void
client_log(enum log_level level, const struct client *client, const char *format, ...)
{
	char description[CLIENT_DESCRIPTION_MAX], text[CLIENT_ERROR_MAX];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_at(level, "%s - %s", client_description(client, description, sizeof(description)), text);
}

void
client_trace(const struct client *client, const char *direction, const char *verb, const char *text, size_t n)
{
	client_log(LOG_LEVEL_TRACE, client, n > 0 && verb[0] != '\0' ? "%s [%s %.*s]" : "%s [%s%.*s]", direction, verb,
	    (int)(n < CLIENT_ERROR_MAX ? n : CLIENT_ERROR_MAX), n > 0 ? text : "");
}

void
client_trace_payload(const struct client *client, const char *direction, const uint8_t *payload, size_t header_size, size_t n)
{
	const struct worker_config *config = client->worker->config;
	size_t limit = config->max_traced_msg_len > 0 ? (size_t)config->max_traced_msg_len : SIZE_MAX;
	char *quoted, description[CLIENT_DESCRIPTION_MAX];
	size_t shown, room;

	if (config->trace_headers) {
		if (header_size < 2)
			return;
		n = header_size - 2;
	}
	if (n == 0)
		return;
	shown = n < limit ? n : limit;
	room = shown * 10 + 3;
	if ((quoted = memory_alloc(room)) == NULL)
		return;
	(void)text_escape(quoted, room, payload, shown);
	log_at(LOG_LEVEL_TRACE, "%s - %s MSG_PAYLOAD: [\"%s%s\"]", client_description(client, description, sizeof(description)),
	    direction, quoted, shown < n ? "..." : "");
	memory_free(quoted);
}
