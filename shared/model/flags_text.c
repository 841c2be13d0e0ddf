/*
 * Texts of the command line: help, TLS help, version, and the redaction of secrets in argv.
 * flags.c and master call it. Pure, but for flags_redact(), which writes into argv.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "model/flags.h"

#ifndef NATSD_VERSION
#define NATSD_VERSION "0.0.0"
#endif

static const char redacted[] = "[REDACTED]";

const char *
flags_version(void)
{
	return "nats-server: v" FLAGS_COMPATIBLE_VERSION " (natsd-" NATSD_VERSION ")\n";
}

const char *
flags_usage(void)
{
	return "\n"
	       "Usage: natsd [options]\n"
	       "\n"
	       "Server:\n"
	       "    -a, --addr, --net <host>         address to listen on (default 0.0.0.0)\n"
	       "    -p, --port <port>                port for clients (default 4222; -1 takes a free one)\n"
	       "    -n, --name\n"
	       "        --server_name <name>         name of this server (default: its id)\n"
	       "    -P, --pid <file>                 write the process id to a file\n"
	       "    -m, --http_port <port>           port for monitoring over HTTP\n"
	       "    -ms,--https_port <port>          port for monitoring over HTTPS\n"
	       "    -c, --config <file>              configuration file, see natsd.conf(5)\n"
	       "    -t                               check the configuration file and leave\n"
	       "    -sl,--signal <signal>[=<pid>]    send ldm, stop, quit, term, reopen or reload to a running server;\n"
	       "                                     <pid> is a process id or the path of a pid file\n"
	       "        --client_advertise <string>  address told to clients\n"
	       "        --ports_file_dir <dir>       write <program>_<pid>.ports, a list of open ports, into a directory\n"
	       "\n"
	       "Log:\n"
	       "    -l, --log <file>                 log to a file\n"
	       "    -T, --logtime                    time stamps (default true)\n"
	       "        --logtime_utc                time stamps in UTC (default false)\n"
	       "    -s, --syslog                     log to syslog\n"
	       "    -r, --remote_syslog <addr>       log to a remote syslog (udp://localhost:514)\n"
	       "    -D, --debug                      debug lines\n"
	       "    -V, --trace                      protocol lines\n"
	       "    -VV                              protocol lines, of the system account too\n"
	       "    -DV                              debug and protocol lines\n"
	       "    -DVV                             debug and protocol lines, of the system account too\n"
	       "        --log_size_limit <limit>     rotate the log file at this size\n"
	       "        --max_traced_msg_len <len>   longest payload in protocol lines (default: no limit)\n"
	       "\n"
	       "JetStream:\n"
	       "    -js, --jetstream                 switch JetStream on\n"
	       "    -sd, --store_dir <dir>           its directory\n"
	       "\n"
	       "Authorization:\n"
	       "        --user <user>                user that clients log in as\n"
	       "        --pass <password>            their password\n"
	       "        --auth <token>               token that clients present\n"
	       "\n"
	       "TLS:\n"
	       "        --tls                        TLS for clients (default false)\n"
	       "        --tlscert <file>             certificate of this server\n"
	       "        --tlskey <file>              its private key\n"
	       "        --tlsverify                  TLS, and clients must have certificates\n"
	       "        --tlscacert <file>           authorities for clients' certificates\n"
	       "\n"
	       "Cluster:\n"
	       "        --routes <url, url>          routes to other servers\n"
	       "        --cluster <url>              address for routes\n"
	       "        --cluster_name <string>      name of the cluster\n"
	       "        --no_advertise <bool>        do not tell clients about other servers\n"
	       "        --cluster_advertise <string> address told to other servers\n"
	       "        --connect_retries <number>   attempts for routes learned from others\n"
	       "        --cluster_listen <url>       the same as --cluster\n"
	       "\n"
	       "Profiling:\n"
	       "        --profile <port>             accepted for nats-server's sake, and ignored\n"
	       "\n"
	       "Common:\n"
	       "    -h, --help                       this text\n"
	       "    -v, --version                    version\n"
	       "        --help_tls                   help on TLS\n"
	       "\n";
}

const char *
flags_tls_help(void)
{
	return "\n"
	       "TLS is set up in the configuration file, in a block tls:\n"
	       "\n"
	       "    tls {\n"
	       "        cert_file: \"./certs/server-cert.pem\"\n"
	       "        key_file:  \"./certs/server-key.pem\"\n"
	       "        ca_file:   \"./certs/ca.pem\"\n"
	       "        verify:    true\n"
	       "        cipher_suites: [ \"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\" ]\n"
	       "        curve_preferences: [ \"X25519\", \"CurveP256\" ]\n"
	       "    }\n"
	       "\n"
	       "All keys are described in natsd.conf(5).\n";
}

static bool
redact_is(const char *argument, const char *name)
{
	size_t length = strlen(name);

	if (*argument++ != '-')
		return false;
	if (*argument == '-')
		argument++;
	return strncmp(argument, name, length) == 0 && (argument[length] == '\0' || argument[length] == '=');
}

/* Overwrites length bytes at text with the mark, as far as it fits, and closes the gap that is left. */
static void
redact_bytes(char *text, size_t length)
{
	size_t mark = strlen(redacted) < length ? strlen(redacted) : length, rest = strlen(text + length);

	CHECK(length <= strlen(text));
	memcpy(text, redacted, mark);
	memmove(text + mark, text + length, rest);
	explicit_bzero(text + mark + rest, length - mark);
}

/* user:password of each url in a comma separated list. */
static void
redact_urls(char *text)
{
	char *authority, *end, *at, *user;

	for (; text != NULL; text = strchr(text, ',')) {
		if (*text == ',')
			text++;
		authority = strstr(text, "://");
		if (authority == NULL)
			return;
		authority += 3;
		end = authority + strcspn(authority, "/,");
		at = NULL;
		for (user = authority; user < end; user++) {
			if (*user == '@')
				at = user;
		}
		text = authority;
		if (at != NULL)
			redact_bytes(authority, (size_t)(at - authority));
	}
}

void
flags_redact(int argc, char *argv[])
{
	static const char *const secrets[] = { "user", "pass", "auth" }, *const urls[] = { "routes", "cluster", "cluster_listen" };
	char *value;
	int i;
	size_t j;
	bool secret, url;

	for (i = 0; i < argc; i++) {
		secret = url = false;
		for (j = 0; j < 3; j++) {
			secret = secret || redact_is(argv[i], secrets[j]);
			url = url || redact_is(argv[i], urls[j]);
		}
		if (!secret && !url)
			continue;
		value = strchr(argv[i], '=');
		value = value != NULL ? value + 1 : i + 1 < argc ? argv[i + 1] : NULL;
		if (value != NULL && secret)
			redact_bytes(value, strlen(value));
		else if (value != NULL)
			redact_urls(value);
	}
}
