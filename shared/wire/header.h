/*
 * Header blocks of messages ("NATS/1.0\r\nKey: value\r\n\r\n"), read and written in the plain way of nats-server's getHeader and
 * removeHeaderIfPresent (client.go): names in exact case, never validated.  Pure functions over the caller's bytes.
 */
#ifndef WIRE_HEADER_H
#define WIRE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATS_HEADER_LINE "NATS/1.0\r\n"

/* Finds the first line "key:" (never the first line of the block); *value is what follows, blanks before it skipped, up to CRLF.
 * False if there is none. */
bool nats_header_find(const uint8_t *block, size_t n, const char *key, const uint8_t **value, size_t *length);

/* The block that tells a requestor that nobody listens: status 503 and Nats-Subject, final blank line included. Returns its length,
 * or 0 when it does not fit. */
size_t nats_header_no_responders(uint8_t *out, size_t size, const char *subject, size_t subject_length);

/* The space nats_header_no_responders needs. */
size_t nats_header_no_responders_size(size_t subject_length);

/* Takes out all lines "key:" in place and returns the new length; 0 when only the first line would be left. */
size_t nats_header_remove(uint8_t *block, size_t n, const char *key);

/* Writes block (n may be 0: a new one is begun) with one more line "key: value" at its end. Returns the length; 0 when it does not
 * fit. */
size_t nats_header_append(
    const uint8_t *block, size_t n, const char *key, const char *value, size_t length, uint8_t *out, size_t size);

#endif
