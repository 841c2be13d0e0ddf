/*
 * Text as Go prints it: quoting, numbers, UTF-8.  Durations are in text_duration.c.  Pure functions, see text.h.
 */
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* ---- UTF-8 ---- */

static const struct {
	uint32_t first;
	uint32_t last;
} text_printable[] = {
#include "base/text_printable.def"
};

bool
text_rune_printable(uint32_t rune)
{
	size_t low = 0;
	size_t high = sizeof(text_printable) / sizeof(text_printable[0]);

	if (rune < 0x7f)
		return rune >= 0x20;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rune > text_printable[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(text_printable) / sizeof(text_printable[0]) && rune >= text_printable[low].first;
}

size_t
text_rune(const void *text, size_t n, uint32_t *rune)
{
	const uint8_t *at = text;
	uint32_t value;
	size_t length;

	CHECK(n > 0);
	*rune = 0xfffd;
	if (at[0] < 0x80) {
		*rune = at[0];
		return 1;
	}
	if (at[0] >= 0xc2 && at[0] < 0xe0) {
		length = 2;
		value = at[0] & 0x1fU;
	} else if (at[0] >= 0xe0 && at[0] < 0xf0) {
		length = 3;
		value = at[0] & 0x0fU;
	} else if (at[0] >= 0xf0 && at[0] < 0xf5) {
		length = 4;
		value = at[0] & 0x07U;
	} else {
		return 1;
	}
	if (n < length)
		return 1;
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (at[i] & 0x3fU);
	}
	/* Too long a form, a surrogate, beyond Unicode. */
	if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || (value >= 0xd800 && value < 0xe000) ||
	    value > 0x10ffff)
		return 1;
	*rune = value;
	return length;
}

size_t
text_put_rune(char out[4], uint32_t rune)
{
	if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
		rune = 0xfffd;
	if (rune < 0x80) {
		out[0] = (char)rune;
		return 1;
	}
	if (rune < 0x800) {
		out[0] = (char)(0xc0 | rune >> 6);
		out[1] = (char)(0x80 | (rune & 0x3f));
		return 2;
	}
	if (rune < 0x10000) {
		out[0] = (char)(0xe0 | rune >> 12);
		out[1] = (char)(0x80 | (rune >> 6 & 0x3f));
		out[2] = (char)(0x80 | (rune & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | rune >> 18);
	out[1] = (char)(0x80 | (rune >> 12 & 0x3f));
	out[2] = (char)(0x80 | (rune >> 6 & 0x3f));
	out[3] = (char)(0x80 | (rune & 0x3f));
	return 4;
}

/* ---- quoting ---- */

/* Where a text goes that may not fit: counts all, keeps what fits before the NUL. */
struct text_sink {
	char *out;
	size_t size;
	size_t length;
};

static void
text_sink_put(struct text_sink *sink, const char *text, size_t n)
{
	if (sink->length < sink->size) {
		size_t room = sink->size - sink->length;

		memcpy(sink->out + sink->length, text, n < room ? n : room);
	}
	sink->length += n;
}

static size_t
text_sink_end(struct text_sink *sink)
{
	if (sink->size > 0)
		sink->out[sink->length < sink->size ? sink->length : sink->size - 1] = '\0';
	return sink->length;
}

static void
text_escape_rune(struct text_sink *sink, uint32_t rune)
{
	static const char names[] = "abtnvfr"; /* 7 to 13 */
	char code[16];
	int n;

	if (rune >= 7 && rune <= 13)
		n = snprintf(code, sizeof(code), "\\%c", names[rune - 7]);
	else if (rune < ' ' || rune == 0x7f)
		n = snprintf(code, sizeof(code), "\\x%02x", rune);
	else
		n = snprintf(code, sizeof(code), rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
	CHECK(n > 0 && (size_t)n < sizeof(code));
	text_sink_put(sink, code, (size_t)n);
}

static void
text_escape_to(struct text_sink *sink, const char *text, size_t n)
{
	size_t plain = 0; /* bytes before `at` not yet copied */
	size_t at = 0;

	while (at < n) {
		uint32_t rune;
		size_t length = text_rune(text + at, n - at, &rune);
		bool broken = length == 1 && rune == 0xfffd;

		if (!broken && rune != '"' && rune != '\\' && text_rune_printable(rune)) {
			plain += length;
			at += length;
			continue;
		}
		text_sink_put(sink, text + at - plain, plain);
		plain = 0;
		if (broken) {
			char code[8];

			snprintf(code, sizeof(code), "\\x%02x", (uint8_t)text[at]);
			text_sink_put(sink, code, 4);
		} else if (rune == '"' || rune == '\\') {
			text_sink_put(sink, rune == '"' ? "\\\"" : "\\\\", 2);
		} else {
			text_escape_rune(sink, rune);
		}
		at += length;
	}
	text_sink_put(sink, text + at - plain, plain);
}

size_t
text_escape(char *out, size_t size, const void *text, size_t n)
{
	struct text_sink sink = { out, size, 0 };

	CHECK(out != NULL || size == 0);
	if (n > 0)
		text_escape_to(&sink, text, n);
	return text_sink_end(&sink);
}

size_t
text_quote(char *out, size_t size, const void *text, size_t n)
{
	struct text_sink sink = { out, size, 0 };

	CHECK(out != NULL || size == 0);
	text_sink_put(&sink, "\"", 1);
	if (n > 0)
		text_escape_to(&sink, text, n);
	text_sink_put(&sink, "\"", 1);
	return text_sink_end(&sink);
}

/* ---- numbers ---- */

size_t
text_u64(char *out, uint64_t value)
{
	static const char pairs[] =
	    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof(digits);

	while (value >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + value * 2, 2);
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(out, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

size_t
text_i64(char *out, int64_t value)
{
	if (value >= 0)
		return text_u64(out, (uint64_t)value);
	out[0] = '-';
	return 1 + text_u64(out + 1, 0 - (uint64_t)value);
}

bool
text_parse_u64(const char *text, size_t n, uint64_t *out)
{
	uint64_t value = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(value, 10U, &value) || __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return false;
	}
	*out = value;
	return true;
}

bool
text_parse_i64(const char *text, size_t n, int64_t *out)
{
	bool negative = n > 0 && text[0] == '-';
	size_t sign = n > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
	uint64_t value;

	if (!text_parse_u64(text + sign, n - sign, &value) || value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return true;
}

bool
text_equal_fold(const char *a, size_t a_length, const char *b, size_t b_length)
{
	if (a_length != b_length)
		return false;
	for (size_t i = 0; i < a_length; i++) {
		unsigned char x = (unsigned char)a[i];
		unsigned char y = (unsigned char)b[i];

		if (x != y && ((x | 0x20) != (y | 0x20) || (x | 0x20) < 'a' || (x | 0x20) > 'z'))
			return false;
	}
	return true;
}

/* Digits (without point) and decimal exponent of the shortest text that reads back as value > 0. Returns the number of digits. */
static size_t
text_shortest(double value, char digits[20], int *exponent)
{
	char buffer[40];
	size_t n = 0;

	for (int precision = 0; precision <= 16; precision++) {
		snprintf(buffer, sizeof(buffer), "%.*e", precision, value);
		if (strtod(buffer, NULL) >= value && strtod(buffer, NULL) <= value)
			break;
	}
	for (const char *at = buffer; *at != 'e'; at++)
		if (*at != '.')
			digits[n++] = *at;
	*exponent = (int)strtol(strchr(buffer, 'e') + 1, NULL, 10);
	while (n > 1 && digits[n - 1] == '0')
		n--;
	return n;
}

size_t
text_double(char *out, size_t size, double value)
{
	struct text_sink sink = { out, size, 0 };
	char digits[20];
	int exponent;
	size_t n;

	CHECK(out != NULL || size == 0);
	if (!isfinite(value))
		return text_sink_end(&sink);
	if (signbit(value))
		text_sink_put(&sink, "-", 1);
	value = fabs(value);
	if (!(value > 0)) {
		text_sink_put(&sink, "0", 1);
		return text_sink_end(&sink);
	}
	n = text_shortest(value, digits, &exponent);
	if (value < 1e-6 || value >= 1e21) {
		char tail[8];

		text_sink_put(&sink, digits, 1);
		if (n > 1) {
			text_sink_put(&sink, ".", 1);
			text_sink_put(&sink, digits + 1, n - 1);
		}
		snprintf(tail, sizeof(tail), exponent < 0 ? "e-%d" : "e+%02d", abs(exponent));
		text_sink_put(&sink, tail, strlen(tail));
		return text_sink_end(&sink);
	}
	if (exponent < 0)
		text_sink_put(&sink, "0.000000", 2 + (size_t)(-exponent - 1));
	for (int i = 0; i < (int)n || i <= exponent; i++) {
		if (i == exponent + 1 && i > 0)
			text_sink_put(&sink, ".", 1);
		text_sink_put(&sink, i < (int)n ? &digits[i] : "0", 1);
	}
	return text_sink_end(&sink);
}
