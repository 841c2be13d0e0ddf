/*
 * files.c: the pid file and the ports file, as launchers and client suites read them: digits without a line feed, and a JSON object
 * of URLs in <program>_<pid>.ports.  Both are removed at the end.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "ipc/snapshot_fill.h"
#include "logger.h"

static bool
write_file(const char *path, const char *text, size_t n, unsigned mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, mode);
	bool good;
	int saved;

	if (fd < 0)
		return false;
	good = write(fd, text, n) == (ssize_t)n;
	saved = errno;
	close(fd);
	errno = saved;
	return good;
}

bool
files_write_pid(struct server *server)
{
	const char *path = server->options->pid_file;
	char pid[16];
	int n;

	if (path == NULL || path[0] == '\0')
		return true;
	n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (!write_file(path, pid, (size_t)n, 0600)) {
		server_fatal(server, "Could not write pidfile: open %s: %s", path, go_error(errno));
		return false;
	}
	server->pid_file_written = true;
	return true;
}

/* The URLs of a listener: its address, or those of all interfaces. */
static void
put_urls(struct json_writer *w, const struct server *server, const struct listener *listener, const char *scheme)
{
	bool any = listener->host[0] == '\0' || strcmp(listener->host, "0.0.0.0") == 0 || strcmp(listener->host, "::") == 0;
	char address[300], url[320];

	json_array_begin(w);
	for (unsigned i = 0; i < (any ? server->address_count : 1); i++) {
		const char *host = any                         ? server->addresses[i]
		    : strcmp(listener->host, "localhost") == 0 ? "127.0.0.1"
							       : listener->host;

		snprintf(url, sizeof(url), "%s://%s", scheme, join_host_port(host, listener->port, address, sizeof(address)));
		json_string(w, url);
	}
	json_array_end(w);
}

static const char *
ports_path(const struct server *server)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s_%d.ports", server->options->ports_file_dir, server->program, (int)getpid());
	return path;
}

/* Written beside and renamed, so that a launcher that polls never reads half of it. */
void
files_write_ports(struct server *server)
{
	const struct listener *client = listen_find(server, LISTENER_CLIENT), *monitor = listen_find(server, LISTENER_MONITOR);
	char text[16384], temporary[4100];
	struct json_writer w;
	const char *path;

	if (server->options->ports_file_dir == NULL || server->options->ports_file_dir[0] == '\0')
		return;
	CHECK(client != NULL);
	path = ports_path(server);
	json_writer_init(&w, text, sizeof(text), 0);
	json_object_begin(&w);
	json_key(&w, "nats");
	put_urls(&w, server, client, "nats");
	if (monitor != NULL) {
		json_key(&w, "monitoring");
		put_urls(&w, server, monitor, "http");
	}
	json_object_end(&w);
	snprintf(temporary, sizeof(temporary), "%s~", path);
	if (w.failed || !write_file(temporary, text, json_written(&w), 0666) || rename(temporary, path) != 0)
		log_error("Error writing ports file (%s): open %s: %s", path, path, go_error(errno));
	else
		server->ports_file = path;
}

void
files_remove(struct server *server)
{
	if (server->ports_file != NULL && unlink(server->ports_file) != 0)
		log_error(
		    "Error cleaning up ports file %s: remove %s: %s", server->ports_file, server->ports_file, go_error(errno));
	server->ports_file = NULL;
	if (server->pid_file_written)
		(void)unlink(server->options->pid_file);
	server->pid_file_written = false;
}
