/*
 * addresses.c: the addresses of this machine's interfaces, for INFO's connect_urls and the ports file, read once at the start.
 */
#include "server.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* Go's IP.IsGlobalUnicast. */
static bool
is_global(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		uint32_t ip = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);

		return ip != 0 && ip != 0xffffffffu && ip >> 24 != 127 && ip >> 28 != 14 && ip >> 16 != 0xa9fe;
	}
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

	return !IN6_IS_ADDR_UNSPECIFIED(six) && !IN6_IS_ADDR_LOOPBACK(six) && !IN6_IS_ADDR_MULTICAST(six) &&
	    !IN6_IS_ADDR_LINKLOCAL(six);
}

void
addresses_read(struct server *server)
{
	struct ifaddrs *list, *item;

	CHECK(server->address_count == 0);
	if (getifaddrs(&list) != 0)
		return;
	for (item = list; item != NULL && server->address_count < SERVER_ADDRESSES_MAX; item = item->ifa_next) {
		const struct sockaddr *address = item->ifa_addr;
		const void *bytes;

		if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
			continue;
		bytes = address->sa_family == AF_INET
		    ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
		    : (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		if (inet_ntop(address->sa_family, bytes, server->addresses[server->address_count], SERVER_ADDRESS_SIZE) == NULL)
			continue;
		server->addresses_global[server->address_count] = is_global(address);
		server->address_count++;
	}
	freeifaddrs(list);
}
