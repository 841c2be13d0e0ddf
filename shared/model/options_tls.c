/*
 * TLS blocks: their keys, and the certificates and keys they name, which must exist and fit.
 * Rows of options.def call it, and the blocks that have a tls block in them. Files come through struct options_source; OpenSSL's
 * decoders read them here and keep nothing. Rules come from nats-server's server/opts.go (parseTLS, GenTLSConfig).
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/check.h"
#include "model/options_private.h"

static const struct {
	const char *name;
	bool insecure;
} cipher_names[] = {
	{ "TLS_AES_128_GCM_SHA256", false },
	{ "TLS_AES_256_GCM_SHA384", false },
	{ "TLS_CHACHA20_POLY1305_SHA256", false },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", false },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", false },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", false },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", false },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", false },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", false },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", false },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", false },
	{ "TLS_RSA_WITH_RC4_128_SHA", true },
	{ "TLS_RSA_WITH_3DES_EDE_CBC_SHA", true },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA", true },
	{ "TLS_RSA_WITH_AES_256_CBC_SHA", true },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA256", true },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", true },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", true },
	{ "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", true },
	{ "TLS_ECDHE_RSA_WITH_RC4_128_SHA", true },
	{ "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", true },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", true },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", true },
};

static const char *const curve_names[] = { "SecP384r1MLKEM1024", "SecP256r1MLKEM768", "X25519MLKEM768", "X25519", "CurveP256",
	"CurveP384", "CurveP521" };

static bool
tls_is_list(const struct option_setting *setting)
{
	if (setting->value->type != CONF_ARRAY) {
		options_error(setting->build, setting->value, "expected a list, but got %s", options_type_name(setting->value));
		return false;
	}
	if (setting->value->length == 0) {
		options_error(setting->build, setting->value, "error parsing tls config, '%s' cannot be empty", setting->row->key);
		return false;
	}
	return true;
}

void
options_tls_ciphers(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_tls *tls = setting->target;
	const struct conf_value *item;
	size_t i, j;
	char *name;

	CHECK(tls != NULL);
	if (!tls_is_list(setting))
		return;
	for (i = 0; i < setting->value->length; i++) {
		item = setting->value->entries[i].value;
		if (!options_want_string(build, item, &name))
			return;
		for (j = 0; j < sizeof(cipher_names) / sizeof(cipher_names[0]); j++) {
			if (strcmp(name, cipher_names[j].name) == 0)
				break;
		}
		if (j == sizeof(cipher_names) / sizeof(cipher_names[0])) {
			options_error(build, item, "unrecognized cipher %s", name);
			return;
		}
		if (cipher_names[j].insecure)
			tls->insecure_ciphers =
			    options_format(build, "%s%s%s", tls->insecure_ciphers != NULL ? tls->insecure_ciphers : "",
				tls->insecure_ciphers != NULL ? ", " : "", name);
	}
}

void
options_tls_curves(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *item;
	size_t i, j;
	char *name;

	if (!tls_is_list(setting))
		return;
	for (i = 0; i < setting->value->length; i++) {
		item = setting->value->entries[i].value;
		if (!options_want_string(build, item, &name))
			return;
		for (j = 0; j < sizeof(curve_names) / sizeof(curve_names[0]); j++) {
			if (strcmp(name, curve_names[j]) == 0)
				break;
		}
		if (j == sizeof(curve_names) / sizeof(curve_names[0])) {
			options_error(build, item, "unrecognized curve preference %s", name);
			return;
		}
	}
}

void
options_tls_timeout(const struct option_setting *setting)
{
	struct options_tls *tls = setting->target;

	CHECK(tls != NULL);
	options_want_seconds(setting->build, setting->value, "tls", &tls->timeout);
}

void
options_tls_rate(const struct option_setting *setting)
{
	if (setting->value->type != CONF_INTEGER)
		options_error(setting->build, setting->value, "error parsing tls config, 'connection_rate_limit' wrong type");
}

void
options_tls_known_urls(const struct option_setting *setting)
{
	struct options_tls *tls = setting->target;

	CHECK(tls != NULL);
	if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value,
		    "error parsing tls config, expected 'verify_cert_and_check_known_urls' to be a boolean");
	else if (setting->value->boolean && !tls->server_side)
		options_error(setting->build, setting->value, "verify_cert_and_check_known_urls not supported in this context");
	else if (setting->value->boolean)
		tls->verify = true;
}

void
options_tls_min_version(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const char *version = setting->value->string;

	if (setting->value->type != CONF_STRING)
		options_error(build, setting->value, "error parsing tls config: 'min_version' wrong type: %s",
		    options_show(build, setting->value));
	else if (strcmp(version, "1.0") == 0 || strcmp(version, "1.1") == 0)
		options_error(build, setting->value, "error parsing tls config: unsupported TLS version: TLS %s", version);
	else if (strcmp(version, "1.2") != 0 && strcmp(version, "1.3") != 0)
		options_error(build, setting->value, "error parsing tls config: unknown version: %s", version);
}

void
options_tls_pinned(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value, *item;
	size_t i;
	char *pin;

	if (value->type != CONF_ARRAY) {
		options_error(build, value,
		    "error parsing tls config, expected 'pinned_certs' to be a list of hex-encoded sha256 of DER encoded "
		    "SubjectPublicKeyInfo");
		return;
	}
	for (i = 0; i < value->length; i++) {
		item = value->entries[i].value;
		if (!options_want_string(build, item, &pin))
			return;
		if (strlen(pin) != 64 || strspn(pin, "0123456789abcdefABCDEF") != 64) {
			options_error(build, item,
			    "error parsing tls config, 'pinned_certs' key %s does not look like hex-encoded sha256 of DER encoded "
			    "SubjectPublicKeyInfo",
			    pin);
			return;
		}
	}
}

void
options_tls_first(const struct option_setting *setting)
{
	static const char *const words[] = { "true", "on", "false", "off", "auto", "auto_fallback" };
	struct options_build *build = setting->build;
	const struct conf_value *value = setting->value;
	char error[160];
	int64_t delay;
	size_t i;

	if (value->type == CONF_BOOL)
		return;
	if (value->type != CONF_STRING) {
		options_error(build, value, "field %s should be a boolean or a string, got %s", options_quote(build, setting->key),
		    options_type_name(value));
		return;
	}
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (options_key_is(value->string, words[i]))
			return;
	}
	if (!options_parse_duration(value, &delay, error))
		options_error(build, value, "field %s's value %s is invalid", options_quote(build, setting->key),
		    options_quote(build, value->string));
}

/* Windows only: any use is an error here. */
void
options_tls_store(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING || value->length == 0)
		options_error(setting->build, value, "expected 'cert_store' to be a valid non-empty string");
	else if (options_key_is(value->string, "windowscurrentuser") || options_key_is(value->string, "windowslocalmachine"))
		options_error(setting->build, value, "cert_store not compatible with current operating system");
	else
		options_error(setting->build, value, "cert store type not implemented");
}

void
options_tls_match_by(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING || value->length == 0)
		options_error(setting->build, value, "expected 'cert_match_by' to be a valid non-empty string");
	else if (!options_key_is(value->string, "issuer") && !options_key_is(value->string, "subject") &&
	    !options_key_is(value->string, "thumbprint"))
		options_error(setting->build, value, "cert match by type not implemented");
}

void
options_tls_match(const struct option_setting *setting)
{
	if (setting->value->type != CONF_STRING || setting->value->length == 0)
		options_error(setting->build, setting->value, "expected 'cert_match' to be a valid non-empty string");
}

void
options_tls_skip_invalid(const struct option_setting *setting)
{
	if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "expected 'cert_match_skip_invalid' to be a boolean");
}

void
options_tls_ca_match(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value, *item;
	size_t i;

	for (i = 0; value->type == CONF_ARRAY && i < value->length; i++) {
		item = value->entries[i].value;
		if (item->type != CONF_STRING)
			options_error(setting->build, value,
			    "error parsing ca_cert_match: unsupported type %s where string is expected", options_type_name(item));
	}
}

void
options_tls_ocsp_peer(const struct option_setting *setting)
{
	if (setting->value->type == CONF_MAP)
		options_block(setting->build, "tls.ocsp_peer", setting->value, NULL);
	else if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "error parsing ocsp peer config: unsupported type %s",
		    options_type_name(setting->value));
}

/* ---- certificates ---- */

/* Never asks for a password: an encrypted key is an error. */
static int
tls_no_password(char *buffer, int size, int writing, void *arg)
{
	(void)buffer, (void)size, (void)writing, (void)arg;
	return 0;
}

static BIO *
tls_read(struct options_build *build, const char *path, const char **error)
{
	char text[CONF_ERROR_MAX];
	const char *data;
	size_t length;
	BIO *bio;

	CHECK(path != NULL && *error == NULL);
	if (!build->source->conf.read_file(
		build->source->conf.arg, path, build->options->arena, &data, &length, text, sizeof(text))) {
		*error = options_format(build, "%s", text);
		return NULL;
	}
	bio = length <= INT32_MAX ? BIO_new_mem_buf(data, (int)length) : NULL;
	if (bio == NULL)
		*error = "file is too large";
	return bio;
}

/* NULL when certificate and key are good and fit, else what is wrong. */
static const char *
tls_pair_error(struct options_build *build, const char *cert_file, const char *key_file)
{
	const char *error = NULL;
	BIO *cert_bio = tls_read(build, cert_file, &error), *key_bio = NULL;
	X509 *certificate = NULL;
	EVP_PKEY *key = NULL;

	CHECK(cert_file != NULL && key_file != NULL);
	if (error == NULL)
		key_bio = tls_read(build, key_file, &error);
	if (error == NULL) {
		certificate = PEM_read_bio_X509(cert_bio, NULL, tls_no_password, NULL);
		if (certificate == NULL)
			error = "tls: failed to find any PEM data in certificate input";
	}
	if (error == NULL) {
		key = PEM_read_bio_PrivateKey(key_bio, NULL, tls_no_password, NULL);
		if (key == NULL)
			error = "tls: failed to find any PEM data in key input";
		else if (X509_check_private_key(certificate, key) != 1)
			error = "tls: private key does not match public key";
	}
	EVP_PKEY_free(key);
	X509_free(certificate);
	BIO_free(key_bio);
	BIO_free(cert_bio);
	ERR_clear_error();
	return error;
}

/* NULL when the file holds at least one certificate, else what is wrong. */
static const char *
tls_authorities_error(struct options_build *build, const char *path)
{
	const char *error = NULL;
	BIO *bio = tls_read(build, path, &error);
	X509 *certificate = NULL;

	CHECK(path != NULL);
	if (error == NULL) {
		certificate = PEM_read_bio_X509(bio, NULL, tls_no_password, NULL);
		if (certificate == NULL)
			error = "failed to parse root ca certificate";
	}
	X509_free(certificate);
	BIO_free(bio);
	ERR_clear_error();
	return error;
}

void
options_tls_certs(const struct option_setting *setting)
{
	struct options_build *build = setting->build;
	struct options_tls *tls = setting->target;
	const struct conf_value *value = setting->value, *pair, *file;
	const char *cert_file, *key_file;
	size_t i, j;

	CHECK(tls != NULL);
	if (value->type != CONF_ARRAY) {
		options_error(build, value, "error parsing certificates config: unsupported type %s", options_type_name(value));
		return;
	}
	for (i = 0; i < value->length; i++) {
		pair = value->entries[i].value;
		if (pair->type != CONF_MAP) {
			options_error(
			    build, pair, "error parsing certificates config: unsupported type %s", options_type_name(pair));
			return;
		}
		cert_file = key_file = "";
		for (j = 0; j < pair->length; j++) {
			file = pair->entries[j].value;
			if (file->type != CONF_STRING)
				options_error(
				    build, file, "error parsing certificates config: unsupported type %s", options_type_name(file));
			else if (strcmp(pair->entries[j].key, "cert_file") == 0)
				cert_file = file->string;
			else if (strcmp(pair->entries[j].key, "key_file") == 0)
				key_file = file->string;
			else
				options_error(build, file, "error parsing tls certs config, unknown field %s",
				    options_quote(build, pair->entries[j].key));
		}
		if (cert_file[0] == '\0' || key_file[0] == '\0') {
			options_error(
			    build, pair, "error parsing certificates config: both 'cert_file' and 'cert_key' options are required");
			return;
		}
	}
	tls->certificates = setting->value;
}

const char *
options_tls_files_error(struct options_build *build, const struct options_tls *tls)
{
	const struct conf_value *pair;
	const char *error = NULL;
	size_t i;
	bool cert = tls->cert_file != NULL && tls->cert_file[0] != '\0', key = tls->key_file != NULL && tls->key_file[0] != '\0';

	CHECK(tls != NULL);
	if (cert && !key)
		return "missing 'key_file' in TLS configuration";
	if (key && !cert)
		return "missing 'cert_file' in TLS configuration";
	if (cert) {
		error = tls_pair_error(build, tls->cert_file, tls->key_file);
		if (error != NULL)
			return options_format(build, "error parsing X509 certificate/key pair: %s", error);
	}
	for (i = 0; !cert && tls->certificates != NULL && i < tls->certificates->length; i++) {
		pair = tls->certificates->entries[i].value;
		error = tls_pair_error(build, conf_member(pair, "cert_file")->string, conf_member(pair, "key_file")->string);
		if (error != NULL)
			return options_format(
			    build, "error parsing X509 certificate/key pair %zu/%zu: %s", i + 1, tls->certificates->length, error);
	}
	if (tls->ca_file != NULL && tls->ca_file[0] != '\0')
		error = tls_authorities_error(build, tls->ca_file);
	return error;
}

bool
options_parse_tls(struct options_build *build, const struct conf_value *value, bool server_side, struct options_tls *tls)
{
	size_t errors = build->errors.length;
	const char *error;

	CHECK(build != NULL && value != NULL);
	*tls = (struct options_tls){ .server_side = server_side };
	if (value->type != CONF_MAP) {
		options_error(build, value, "expected a block, but got %s", options_type_name(value));
		return false;
	}
	options_block(build, "tls", value, tls);
	if (build->errors.length > errors)
		return false;
	if (tls->certificates != NULL && tls->certificates->length > 0 && tls->cert_file != NULL && tls->cert_file[0] != '\0')
		options_error(build, value, "error parsing tls config, cannot combine 'cert_file' option with 'certs' option");
	else if (tls->insecure_ciphers != NULL && !tls->allow_insecure)
		options_error(build, value,
		    "insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: %s",
		    tls->insecure_ciphers);
	else if ((error = options_tls_files_error(build, tls)) != NULL)
		options_error(build, value, "%s", error);
	return build->errors.length == errors;
}

void
options_tls_client(const struct option_setting *setting)
{
	struct options_tls tls;

	options_parse_tls(setting->build, setting->value, false, &tls);
}

void
options_tls_server(const struct option_setting *setting)
{
	struct options_tls tls;

	options_parse_tls(setting->build, setting->value, true, &tls);
}

/* ---- OCSP ---- */

void
options_ocsp_mode(const struct option_setting *setting)
{
	static const char *const modes[] = { "always", "must", "never", "auto" };
	char *mode;
	size_t i;

	if (!options_want_string(setting->build, setting->value, &mode))
		return;
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (options_key_is(mode, modes[i]))
			return;
	}
	options_error(setting->build, setting->value, "error parsing ocsp config: unsupported ocsp mode %s", mode);
}

void
options_ocsp_urls(const struct option_setting *setting)
{
	options_error(setting->build, setting->value, "error parsing ocsp config: nats-server takes no list here, use url");
}

void
options_ocsp(const struct option_setting *setting)
{
	if (setting->value->type == CONF_MAP)
		options_block(setting->build, "ocsp", setting->value, NULL);
	else if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "error parsing ocsp config: unsupported type %s",
		    options_type_name(setting->value));
}

void
options_ocsp_cache(const struct option_setting *setting)
{
	if (setting->value->type == CONF_MAP)
		options_block(setting->build, "ocsp_cache", setting->value, NULL);
	else if (setting->value->type != CONF_BOOL)
		options_error(setting->build, setting->value, "error parsing ocsp_cache config: unsupported type %s",
		    options_type_name(setting->value));
}

void
options_ocsp_cache_type(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;

	if (value->type != CONF_STRING)
		options_error(setting->build, value, "error parsing OCSP peer cache config, unknown field [%s]",
		    options_quote(setting->build, setting->key));
	else if (!options_key_is(value->string, "none") && !options_key_is(value->string, "local"))
		options_error(setting->build, value, "error parsing OCSP peer cache config, unknown type [%s]", value->string);
}

void
options_ocsp_seconds(const struct option_setting *setting)
{
	const struct conf_value *value = setting->value;
	const char *block = strcmp(setting->row->block, "ocsp_cache") == 0 ? "OCSP peer cache" : "tls peer";
	char error[160] = "unexpected type";
	int64_t duration;

	if (value->type == CONF_INTEGER || value->type == CONF_FLOAT)
		return;
	if (value->type != CONF_STRING || !options_parse_duration(value, &duration, error))
		options_error(setting->build, value, "error parsing %s config, conversion error: %s", block, error);
}
