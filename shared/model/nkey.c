/*
 * Text form of nkeys and signatures with them, see nkey.h.
 */
#include "model/nkey.h"

#include <sodium.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

#define TYPE_SEED (18U << 3)
#define CRC_SIZE 2
#define PUBLIC_SIZE (1 + NKEY_KEY_SIZE + CRC_SIZE)
#define SEED_SIZE (2 + NKEY_KEY_SIZE + CRC_SIZE)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* CRC-16/XMODEM: polynomial 0x1021, start 0. */
static uint16_t
crc16(const uint8_t *data, size_t size)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < size; i++) {
		crc ^= (uint32_t)data[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
		crc &= 0xffff;
	}
	return (uint16_t)crc;
}

static void
base32_encode(const uint8_t *data, size_t size, char *text, size_t length)
{
	uint32_t held = 0, bits = 0;
	size_t at = 0;

	CHECK(length == (size * 8 + 4) / 5);
	for (size_t i = 0; i < size; i++) {
		held = held << 8 | data[i];
		for (bits += 8; bits >= 5; bits -= 5)
			text[at++] = alphabet[held >> (bits - 5) & 31];
	}
	if (bits > 0)
		text[at++] = alphabet[held << (5 - bits) & 31];
	CHECK(at == length);
	text[at] = '\0';
}

static int
base32_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Exactly size bytes, or false.  Left over bits are not looked at, as in Go. */
static bool
base32_decode(const char *text, size_t length, uint8_t *data, size_t size)
{
	uint32_t held = 0, bits = 0;
	size_t at = 0;

	if (length != (size * 8 + 4) / 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		int value = base32_value(text[i]);

		if (value < 0)
			return false;
		held = held << 5 | (uint32_t)value;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			CHECK(at < size);
			data[at++] = (uint8_t)(held >> bits);
		}
	}
	return at == size;
}

static void
crc_put(uint8_t *raw, size_t size)
{
	uint16_t crc = crc16(raw, size - CRC_SIZE);

	raw[size - 2] = (uint8_t)crc;
	raw[size - 1] = (uint8_t)(crc >> 8);
}

static bool
crc_right(const uint8_t *raw, size_t size)
{
	return crc16(raw, size - CRC_SIZE) == (raw[size - 2] | raw[size - 1] << 8);
}

static bool
type_known(unsigned type)
{
	switch (type) {
	case NKEY_ACCOUNT:
	case NKEY_CLUSTER:
	case NKEY_SERVER:
	case NKEY_OPERATOR:
	case NKEY_USER:
	case NKEY_CURVE: return true;
	default: return false;
	}
}

void
nkey_public_encode(enum nkey_type type, const uint8_t key[NKEY_KEY_SIZE], char text[NKEY_PUBLIC_LENGTH + 1])
{
	uint8_t raw[PUBLIC_SIZE];

	CHECK(type_known(type));
	raw[0] = (uint8_t)type;
	memcpy(raw + 1, key, NKEY_KEY_SIZE);
	crc_put(raw, sizeof(raw));
	base32_encode(raw, sizeof(raw), text, NKEY_PUBLIC_LENGTH);
}

bool
nkey_public_decode(const char *text, size_t length, enum nkey_type *type, uint8_t key[NKEY_KEY_SIZE])
{
	uint8_t raw[PUBLIC_SIZE];

	CHECK(text != NULL || length == 0);
	if (!base32_decode(text, length, raw, sizeof(raw)) || !crc_right(raw, sizeof(raw)) || !type_known(raw[0]))
		return false;
	*type = (enum nkey_type)raw[0];
	memcpy(key, raw + 1, NKEY_KEY_SIZE);
	return true;
}

bool
nkey_public_valid(const char *text, size_t length, enum nkey_type type)
{
	uint8_t key[NKEY_KEY_SIZE];
	enum nkey_type found;

	return nkey_public_decode(text, length, &found, key) && found == type;
}

/* Two bytes carry both types, so that the text shows both letters: 5 bits 'S', then the 8 bits of the type, then 3 of nothing. */
void
nkey_seed_encode(enum nkey_type type, const uint8_t seed[NKEY_KEY_SIZE], char text[NKEY_SEED_LENGTH + 1])
{
	uint8_t raw[SEED_SIZE];

	CHECK(type_known(type));
	raw[0] = (uint8_t)(TYPE_SEED | (unsigned)type >> 5);
	raw[1] = (uint8_t)(((unsigned)type & 31) << 3);
	memcpy(raw + 2, seed, NKEY_KEY_SIZE);
	crc_put(raw, sizeof(raw));
	base32_encode(raw, sizeof(raw), text, NKEY_SEED_LENGTH);
	memory_wipe(raw, sizeof(raw));
}

bool
nkey_seed_decode(const char *text, size_t length, enum nkey_type *type, uint8_t seed[NKEY_KEY_SIZE])
{
	uint8_t raw[SEED_SIZE];
	unsigned found;
	bool good;

	CHECK(text != NULL || length == 0);
	good = base32_decode(text, length, raw, sizeof(raw)) && crc_right(raw, sizeof(raw)) && (raw[0] & 248U) == TYPE_SEED;
	found = good ? (raw[0] & 7U) << 5 | raw[1] >> 3 : 0;
	good = good && type_known(found);
	if (good) {
		*type = (enum nkey_type)found;
		memcpy(seed, raw + 2, NKEY_KEY_SIZE);
	}
	memory_wipe(raw, sizeof(raw));
	return good;
}

void
nkey_from_seed(const uint8_t seed[NKEY_KEY_SIZE], uint8_t public_key[NKEY_KEY_SIZE], uint8_t secret[NKEY_SECRET_SIZE])
{
	CHECK(crypto_sign_seed_keypair(public_key, secret, seed) == 0);
}

void
nkey_server_create(char text[NKEY_PUBLIC_LENGTH + 1], uint8_t seed[NKEY_KEY_SIZE])
{
	uint8_t public_key[NKEY_KEY_SIZE], secret[NKEY_SECRET_SIZE];

	CHECK(crypto_sign_keypair(public_key, secret) == 0);
	nkey_public_encode(NKEY_SERVER, public_key, text);
	if (seed != NULL)
		CHECK(crypto_sign_ed25519_sk_to_seed(seed, secret) == 0);
	memory_wipe(secret, sizeof(secret));
}

void
nkey_sign(const uint8_t secret[NKEY_SECRET_SIZE], const void *message, size_t size, uint8_t signature[NKEY_SIGNATURE_SIZE])
{
	CHECK(crypto_sign_detached(signature, NULL, message, size, secret) == 0);
}

bool
nkey_verify(
    const uint8_t public_key[NKEY_KEY_SIZE], const void *message, size_t size, const uint8_t *signature, size_t signature_size)
{
	return signature_size == NKEY_SIGNATURE_SIZE && crypto_sign_verify_detached(signature, message, size, public_key) == 0;
}
