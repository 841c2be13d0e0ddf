/*
 * INFO: what the server says of itself to one connection.
 */
#include "worker.h"

#include <netinet/in.h>

#include "base/memory.h"

enum {
	INFORM_SIZE = 16384,
	INFORM_API_LEVEL = 5 /* of JetStream; nats-server says so with JetStream off, too (jetstream_versioning.go) */
};

static void
inform_fill(const struct client *client, bool connect_info, struct nats_info *info)
{
	const struct worker *worker = client->worker;
	const struct worker_config *config = worker->config;

	info->server_id = config->server_id;
	info->server_name = config->server_name;
	info->version = config->version;
	info->proto = 1;
	info->git_commit = config->git_commit;
	info->go = config->go;
	info->host = config->advertise_host[0] != '\0' ? config->advertise_host : config->host;
	info->port = (int)(config->advertise_host[0] != '\0' ? config->advertise_port : config->port);
	info->headers = config->headers;
	info->auth_required = worker->policy.required && (!worker->policy.anonymous || client->connected);
	info->max_payload = (int32_t)config->max_payload;
	info->client_id = client->id;
	info->nonce = client->nonce;
	info->lame_duck = worker->lame_duck;
	info->xkey = config->xkey;
	info->api_level = INFORM_API_LEVEL;
	if (connect_info) {
		info->connect_info = true;
		info->remote_account = client->account->number == BROKER_ACCOUNT_SYSTEM ? "$SYS" : "$G";
		info->account_is_system = client->account->number == BROKER_ACCOUNT_SYSTEM;
	}
}

void
inform_send(struct client *client, bool connect_info)
{
	struct nats_info info = { 0 };
	char address[INET6_ADDRSTRLEN], line[INFORM_SIZE];
	size_t n;

	inform_fill(client, connect_info, &info);
	client_address_text(client, address, sizeof(address));
	info.client_ip = address;
	n = nats_info_write(&info, line, sizeof(line));
	if (n == 0) {
		log_error("INFO does not fit into %d bytes: too many connect_urls", INFORM_SIZE);
		return;
	}
	client_put(client, line, n);
}

static void
inform_one(struct client *client, void *arg)
{
	(void)arg;
	if (client->connected && client->protocol >= 1 && client->first_pong)
		inform_send(client, false);
}

void
inform_all(struct worker *worker)
{
	client_each(worker, inform_one, NULL);
}
