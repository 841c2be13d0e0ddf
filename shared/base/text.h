/*
 * Text as Go prints and reads it, since people and tools compare our lines with nats-server's: quoting, durations, numbers.
 * Pure functions; output always NUL-ended when size > 0, never beyond size, and the return value is the length the whole
 * text needs (as snprintf), so a result >= size means it was cut.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Go's %q: double quotes, \a \b \f \n \r \t \v \" \\, \x01, \u00a0, \U000e0001, \xff for bytes that are not UTF-8; printable as is.
 */
size_t text_quote(char *out, size_t size, const void *text, size_t n);

/* As text_quote, without the quotes around it. */
size_t text_escape(char *out, size_t size, const void *text, size_t n);

/* Go's time.ParseDuration ("1h2m3.5s", "-1.5h", "0"). On failure false, and error (may be NULL) gets Go's text without "time: ". */
bool text_duration_parse(const char *text, size_t n, int64_t *ns, char *error, size_t error_size);

/* Go's Duration.String(): "1h0m0s", "1.5s", "100ms", "0s". */
size_t text_duration_format(char *out, size_t size, int64_t ns);

/* Decimal digits of value into out (at least 20 bytes, not NUL-ended); returns how many. */
size_t text_u64(char *out, uint64_t value);
size_t text_i64(char *out, int64_t value);

/* All n bytes are decimal digits (n > 0) and the value fits. */
bool text_parse_u64(const char *text, size_t n, uint64_t *out);

/* The same with an optional sign. */
bool text_parse_i64(const char *text, size_t n, int64_t *out);

/* Equal but for the case of ASCII letters. */
bool text_equal_fold(const char *a, size_t a_length, const char *b, size_t b_length);

/* Shortest digits that read back as the same number, laid out as Go's encoding/json does. NaN and infinities give an empty text. */
size_t text_double(char *out, size_t size, double value);

/* Next code point of UTF-8 text (at < n); *rune is 0xfffd and the result 1 for an invalid byte, else the length 1..4 (Go's
 * DecodeRune). */
size_t text_rune(const void *text, size_t n, uint32_t *rune);

/* UTF-8 of a code point (surrogates and beyond become U+FFFD); returns the length 1..4. */
size_t text_put_rune(char out[4], uint32_t rune);

/* Go's strconv.IsPrint. */
bool text_rune_printable(uint32_t rune);

#endif
