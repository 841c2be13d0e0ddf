/*
 * nkeys: Ed25519 and X25519 keys in NATS's text form: base32 without padding over type byte(s), 32 bytes and a CRC-16.
 *
 * Public keys are 56 characters ("N..." for a server), seeds 58 ("SU...").  Pure functions; the caller owns the buffers and wipes
 * secrets (nkey_from_seed and nkey_seed_encode wipe what they used on the stack).  (github.com/nats-io/nkeys strkey.go)
 */
#ifndef MODEL_NKEY_H
#define MODEL_NKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NKEY_KEY_SIZE 32
#define NKEY_SIGNATURE_SIZE 64
#define NKEY_SECRET_SIZE 64   /* Ed25519 secret as libsodium keeps it: seed and public key */
#define NKEY_PUBLIC_LENGTH 56 /* characters, no NUL */
#define NKEY_SEED_LENGTH 58

enum nkey_type {
	NKEY_ACCOUNT = 0,
	NKEY_CLUSTER = 2 << 3,
	NKEY_SERVER = 13 << 3,
	NKEY_OPERATOR = 14 << 3,
	NKEY_USER = 20 << 3,
	NKEY_CURVE = 23 << 3
};

/* Writes NKEY_PUBLIC_LENGTH characters and a NUL. */
void nkey_public_encode(enum nkey_type type, const uint8_t key[NKEY_KEY_SIZE], char text[NKEY_PUBLIC_LENGTH + 1]);

/* false unless text is a well formed public key of some type (which it tells). */
bool nkey_public_decode(const char *text, size_t length, enum nkey_type *type, uint8_t key[NKEY_KEY_SIZE]);

/* Is it a public key of this type? */
bool nkey_public_valid(const char *text, size_t length, enum nkey_type type);

/* Writes NKEY_SEED_LENGTH characters and a NUL. */
void nkey_seed_encode(enum nkey_type type, const uint8_t seed[NKEY_KEY_SIZE], char text[NKEY_SEED_LENGTH + 1]);

/* false unless text is a well formed seed. */
bool nkey_seed_decode(const char *text, size_t length, enum nkey_type *type, uint8_t seed[NKEY_KEY_SIZE]);

/* Key pair of a raw seed: Ed25519.  Not for NKEY_CURVE. */
void nkey_from_seed(const uint8_t seed[NKEY_KEY_SIZE], uint8_t public_key[NKEY_KEY_SIZE], uint8_t secret[NKEY_SECRET_SIZE]);

/* A new random server identity: its public key as text ("N...") and, where not NULL, its raw seed. */
void nkey_server_create(char text[NKEY_PUBLIC_LENGTH + 1], uint8_t seed[NKEY_KEY_SIZE]);

/* Ed25519: sign with a secret, verify with a public key. */
void nkey_sign(const uint8_t secret[NKEY_SECRET_SIZE], const void *message, size_t size, uint8_t signature[NKEY_SIGNATURE_SIZE]);
bool nkey_verify(
    const uint8_t public_key[NKEY_KEY_SIZE], const void *message, size_t size, const uint8_t *signature, size_t signature_size);

#endif
