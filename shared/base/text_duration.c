/*
 * Durations as Go's package time reads and prints them.  See text.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

#define DURATION_MAX (UINT64_C(1) << 63) /* the magnitude of the most negative one */

static const struct {
	const char *name;
	uint64_t ns;
} duration_units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 }, /* micro sign */
	{ "\xce\xbcs", 1000 }, /* Greek mu */
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
};

static uint64_t
duration_unit(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++)
		if (strlen(duration_units[i].name) == n && memcmp(duration_units[i].name, text, n) == 0)
			return duration_units[i].ns;
	return 0;
}

static bool
duration_digit(const char *at, const char *end)
{
	return at < end && *at >= '0' && *at <= '9';
}

/* Package time quotes in its own way: all but printable ASCII by bytes as \xNN. */
static size_t
duration_quote(char *out, size_t size, const char *text, size_t n)
{
	size_t length = 0;

	CHECK(size > 0);
	for (size_t i = 0; i < n + 2; i++) {
		bool edge = i == 0 || i == n + 1;
		unsigned char c = edge ? '"' : (unsigned char)text[i - 1];
		char piece[8];
		int k;

		if (edge || (c >= ' ' && c < 0x7f && c != '"' && c != '\\'))
			k = snprintf(piece, sizeof(piece), "%c", c);
		else if (c == '"' || c == '\\')
			k = snprintf(piece, sizeof(piece), "\\%c", c);
		else
			k = snprintf(piece, sizeof(piece), "\\x%02x", c);
		if (length + (size_t)k < size)
			memcpy(out + length, piece, (size_t)k + 1);
		length += (size_t)k;
	}
	return length;
}

struct duration_text {
	const char *text;
	size_t n;
	char *error;
	size_t error_size;
};

/* Always false, so that callers can return it. */
static bool
duration_fail(const struct duration_text *whole, const char *what, const char *unit, size_t unit_length)
{
	char quoted[256];
	char named[64];

	if (whole->error == NULL || whole->error_size == 0)
		return false;
	duration_quote(quoted, sizeof(quoted), whole->text, whole->n);
	if (unit == NULL) {
		snprintf(whole->error, whole->error_size, "%s duration %s", what, quoted);
		return false;
	}
	duration_quote(named, sizeof(named), unit, unit_length);
	snprintf(whole->error, whole->error_size, "unknown unit %s in duration %s", named, quoted);
	return false;
}

/* Digits before the point; false when they exceed the range. */
static bool
duration_whole(const char **at, const char *end, uint64_t *value)
{
	*value = 0;
	for (; duration_digit(*at, end); (*at)++) {
		if (*value > DURATION_MAX / 10)
			return false;
		*value = *value * 10 + (uint64_t)(**at - '0');
		if (*value > DURATION_MAX)
			return false;
	}
	return true;
}

/* Digits behind the point: value / scale; those beyond the precision are dropped. */
static void
duration_fraction(const char **at, const char *end, uint64_t *value, double *scale)
{
	bool full = false;

	*value = 0;
	*scale = 1;
	for (; duration_digit(*at, end); (*at)++) {
		uint64_t next;

		if (full || *value > (DURATION_MAX - 1) / 10) {
			full = true;
			continue;
		}
		next = *value * 10 + (uint64_t)(**at - '0');
		if (next > DURATION_MAX) {
			full = true;
			continue;
		}
		*value = next;
		*scale *= 10;
	}
}

/* One number with its unit, such as "1.5h". */
static bool
duration_part(const struct duration_text *whole, const char **at, const char *end, uint64_t *sum)
{
	const char *start = *at;
	const char *unit;
	uint64_t value, fraction = 0, ns;
	double scale = 1;
	bool digits;

	if (**at != '.' && !duration_digit(*at, end))
		return duration_fail(whole, "invalid", NULL, 0);
	if (!duration_whole(at, end, &value))
		return duration_fail(whole, "invalid", NULL, 0);
	digits = *at != start;
	if (*at < end && **at == '.') {
		start = ++*at;
		duration_fraction(at, end, &fraction, &scale);
		digits |= *at != start;
	}
	if (!digits)
		return duration_fail(whole, "invalid", NULL, 0);
	for (unit = *at; *at < end && **at != '.' && !duration_digit(*at, end); (*at)++)
		;
	if (*at == unit)
		return duration_fail(whole, "missing unit in", NULL, 0);
	ns = duration_unit(unit, (size_t)(*at - unit));
	if (ns == 0)
		return duration_fail(whole, NULL, unit, (size_t)(*at - unit));
	if (value > DURATION_MAX / ns)
		return duration_fail(whole, "invalid", NULL, 0);
	value *= ns;
	if (fraction > 0)
		value += (uint64_t)((double)fraction * ((double)ns / scale));
	if (value > DURATION_MAX || __builtin_add_overflow(*sum, value, sum) || *sum > DURATION_MAX)
		return duration_fail(whole, "invalid", NULL, 0);
	return true;
}

bool
text_duration_parse(const char *text, size_t n, int64_t *ns, char *error, size_t error_size)
{
	const struct duration_text whole = { text, n, error, error_size };
	const char *at = text;
	const char *end = n > 0 ? text + n : text;
	bool negative = false;
	uint64_t sum = 0;

	if (n > 0 && (*at == '-' || *at == '+'))
		negative = *at++ == '-';
	if (end - at == 1 && *at == '0') {
		*ns = 0;
		return true;
	}
	if (at == end)
		return duration_fail(&whole, "invalid", NULL, 0);
	while (at < end)
		if (!duration_part(&whole, &at, end, &sum))
			return false;
	if (!negative && sum > DURATION_MAX - 1)
		return duration_fail(&whole, "invalid", NULL, 0);
	*ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

/* `value` units of 10^-digits as "1.5" into out, without trailing zeros; returns the length. */
static int
duration_decimal(char *out, size_t size, uint64_t value, int digits)
{
	uint64_t unit = 1;
	int n;

	for (int i = 0; i < digits; i++)
		unit *= 10;
	if (value % unit == 0)
		return snprintf(out, size, "%llu", (unsigned long long)(value / unit));
	n = snprintf(out, size, "%llu.%0*llu", (unsigned long long)(value / unit), digits, (unsigned long long)(value % unit));
	CHECK(n > 0 && (size_t)n < size);
	while (out[n - 1] == '0')
		out[--n] = '\0';
	return n;
}

size_t
text_duration_format(char *out, size_t size, int64_t ns)
{
	uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";
	char number[32];
	uint64_t minutes;
	int n;

	CHECK(out != NULL || size == 0);
	if (value == 0)
		return (size_t)snprintf(out, size, "0s");
	if (value < 1000000000) {
		int digits = value < 1000 ? 0 : value < 1000000 ? 3 : 6;

		duration_decimal(number, sizeof(number), value, digits);
		return (size_t)snprintf(out, size, "%s%s%s", sign, number, digits == 0 ? "ns" : digits == 3 ? "\xc2\xb5s" : "ms");
	}
	minutes = value / UINT64_C(60000000000);
	duration_decimal(number, sizeof(number), value % UINT64_C(60000000000), 9);
	if (minutes >= 60)
		n = snprintf(out, size, "%s%lluh%llum%ss", sign, (unsigned long long)(minutes / 60),
		    (unsigned long long)(minutes % 60), number);
	else if (minutes > 0)
		n = snprintf(out, size, "%s%llum%ss", sign, (unsigned long long)minutes, number);
	else
		n = snprintf(out, size, "%s%ss", sign, number);
	CHECK(n > 0);
	return (size_t)n;
}
