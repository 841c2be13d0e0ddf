/*
 * The websocket and mqtt blocks. Rows of options.def call it. They are checked and not kept until workers speak these protocols.
 * Rules come from nats-server's server/opts.go (parseWebsocket, parseMQTT, parseSimpleAuth).
 */
#include "base/check.h"
#include "model/options_private.h"

#define MQTT_MAX_ACK_PENDING 0xffff

void
options_simple_authorization(const struct option_setting *setting)
{
	if (setting->value->type != CONF_MAP)
		options_error(setting->build, setting->value, "expected a block, but got %s", options_type_name(setting->value));
	else
		options_block(setting->build, "websocket.authorization|mqtt.authorization", setting->value, NULL);
}

void
options_ws_handshake_timeout(const struct option_setting *setting)
{
	char error[160];
	int64_t timeout;

	if (setting->value->type == CONF_INTEGER)
		return;
	if (setting->value->type != CONF_STRING)
		options_error(setting->build, setting->value, "error parsing handshake timeout: unsupported type %s",
		    options_type_name(setting->value));
	else if (!options_parse_duration(setting->value, &timeout, error))
		options_error(setting->build, setting->value, "%s", error);
}

void
options_ws_headers(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	size_t i;

	if (value->type != CONF_MAP) {
		options_error(build, value, "error parsing headers: unsupported type %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		if (value->entries[i].value->type != CONF_STRING)
			options_error(build, value->entries[i].value, "error parsing header key %s: unsupported type %s",
			    value->entries[i].key, options_type_name(value->entries[i].value));
	}
}

void
options_mqtt_max_ack_pending(const struct option_setting *setting)
{
	int64_t value;

	if (options_want_int(setting->build, setting->value, &value) && (value < 0 || value > MQTT_MAX_ACK_PENDING))
		options_error(setting->build, setting->value, "invalid value %lld, should in [0..%d] range", (long long)value,
		    MQTT_MAX_ACK_PENDING);
}

void
options_mqtt_consumer_replicas(const struct option_setting *setting)
{
	options_warning(setting->build, setting->value,
	    "invalid use of field %s: consumer replicas setting ignored in this server version",
	    options_quote(setting->build, setting->key));
}
