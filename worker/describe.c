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

/* "v1:lang:name", of what CONNECT gave. */
static size_t
describe_program(const struct client *client, char *buffer, size_t size)
{
	const struct nats_connect *connect = client->connect;
	const char *parts[3];
	size_t length = 0, count = 0, i;

	buffer[0] = '\0';
	if (connect == NULL)
		return 0;
	if (connect->version.length > 0) {
		length = (size_t)snprintf(buffer, size, "v%s", connect->version.at);
		count++;
	}
	parts[0] = connect->lang.length > 0 ? connect->lang.at : NULL;
	parts[1] = connect->name.length > 0 ? connect->name.at : NULL;
	for (i = 0; i < 2; i++)
		if (parts[i] != NULL && length < size) {
			length += (size_t)snprintf(buffer + length, size - length, "%s%s", count > 0 ? ":" : "", parts[i]);
			count++;
		}
	return length < size ? length : size - 1;
}

const char *
client_description(const struct client *client, char *buffer, size_t size)
{
	char address[INET6_ADDRSTRLEN], program[768], login[256], quoted[1024];
	bool v4 = IN6_IS_ADDR_V4MAPPED(&client->address);
	size_t length, n;

	client_address_text(client, address, sizeof(address));
	length = (size_t)snprintf(buffer, size, v4 ? "%s:%u - cid:%llu" : "[%s]:%u - cid:%llu", address, client->port,
	    (unsigned long long)client->id);
	if (length < size && (n = describe_program(client, program, sizeof(program))) > 0) {
		(void)text_quote(quoted, sizeof(quoted), program, n);
		length += (size_t)snprintf(buffer + length, size - length, " - %s", quoted);
	}
	if (length < size && client->user != NULL) {
		n = (size_t)snprintf(login, sizeof(login), "%s/%s", client->account->number == BROKER_ACCOUNT_SYSTEM ? "$SYS" : "$G",
		    client->user);
		(void)text_quote(quoted, sizeof(quoted), login, n < sizeof(login) ? n : sizeof(login) - 1);
		(void)snprintf(buffer + length, size - length, " - %s", quoted);
	}
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
	client_log(LOG_LEVEL_TRACE, client, n > 0 ? "%s [%s %.*s]" : "%s [%s%.*s]", direction, verb,
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
	log_at(LOG_LEVEL_TRACE, "%s - %s MSG_PAYLOAD: [\"%s%s\"]", client_description(client, description, sizeof(description)), direction,
	    quoted, shown < n ? "..." : "");
	memory_free(quoted);
}
