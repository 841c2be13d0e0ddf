/*
 * Writing JSON: the bytes Go's Marshal and MarshalIndent would write, in buffers that are too small and in those that grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void
write_sample(struct json_writer *w)
{
	json_object_begin(w);
	json_member_string(w, "name", "a<b>&\"\\\b\f\n\r\t\x01\xe2\x80\xa8\xff\x7f");
	json_some_string(w, "gone", "");
	json_some_string(w, "null", NULL);
	json_some_u64(w, "gone", 0);
	json_some_i64(w, "gone", 0);
	json_some_bool(w, "gone", false);
	json_some_string_n(w, "gone", "x", 0);
	json_some_string_n(w, "part", "xyz", 2);
	json_some_u64(w, "u", UINT64_MAX);
	json_some_i64(w, "i", INT64_MIN);
	json_some_bool(w, "b", true);
	json_key(w, "list");
	json_array_begin(w);
	json_double(w, 1.5);
	json_null(w);
	json_raw(w, "{\"x\":1}", 7);
	json_array_begin(w);
	json_array_end(w);
	json_array_end(w);
	json_key(w, "empty");
	json_object_begin(w);
	json_object_end(w);
	json_member_string(w, "nothing", NULL);
	json_object_end(w);
}

static const char compact[] =
    "{\"name\":\"a\\u003cb\\u003e\\u0026\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u2028\\ufffd\x7f\",\"part\":\"xy\","
    "\"u\":18446744073709551615,\"i\":-9223372036854775808,\"b\":true,\"list\":[1.5,null,{\"x\":1},[]],"
    "\"empty\":{},\"nothing\":\"\"}";

static const char indented[] = "{\n"
			       "  \"name\": \"a\\u003cb\\u003e\\u0026\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u2028\\ufffd\x7f\",\n"
			       "  \"part\": \"xy\",\n"
			       "  \"u\": 18446744073709551615,\n"
			       "  \"i\": -9223372036854775808,\n"
			       "  \"b\": true,\n"
			       "  \"list\": [\n"
			       "    1.5,\n"
			       "    null,\n"
			       "    {\"x\":1},\n"
			       "    []\n"
			       "  ],\n"
			       "  \"empty\": {},\n"
			       "  \"nothing\": \"\"\n"
			       "}";

static void
test_layout(void **state)
{
	struct json_writer w;
	char buffer[1024];

	(void)state;
	json_writer_init(&w, buffer, sizeof(buffer), 0);
	write_sample(&w);
	assert_false(w.failed);
	assert_int_equal(json_written(&w), sizeof(compact) - 1);
	assert_memory_equal(buffer, compact, sizeof(compact) - 1);
	json_writer_init(&w, buffer, sizeof(buffer), 2);
	write_sample(&w);
	assert_int_equal(json_written(&w), sizeof(indented) - 1);
	assert_memory_equal(buffer, indented, sizeof(indented) - 1);
}

static void
test_too_small(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(compact) - 1; size++) {
		char *buffer = malloc(size + 1);
		struct json_writer w;

		assert_non_null(buffer);
		json_writer_init(&w, buffer, size, 0);
		write_sample(&w);
		assert_true(w.failed);
		assert_true(json_written(&w) <= size);
		free(buffer);
	}
}

static void
test_growing(void **state)
{
	struct json_writer w;

	(void)state;
	json_writer_init_growing(&w, 1 << 20, 0);
	json_array_begin(&w);
	for (int i = 0; i < 1000; i++)
		write_sample(&w);
	json_array_end(&w);
	assert_false(w.failed);
	assert_int_equal(json_written(&w), 1000 * sizeof(compact) + 1);
	assert_memory_equal(w.start + 1 + 999 * sizeof(compact), compact, sizeof(compact) - 1);
	json_writer_free(&w);
	json_writer_init_growing(&w, 1000, 0);
	json_array_begin(&w);
	for (int i = 0; i < 1000; i++)
		write_sample(&w);
	assert_true(w.failed);
	assert_true(json_written(&w) <= 1000);
	json_writer_free(&w);
}

static void
test_single_values(void **state)
{
	struct json_writer w;
	char buffer[64];

	(void)state;
	json_writer_init(&w, buffer, sizeof(buffer), 2);
	json_string_n(&w, "a\0b", 3);
	assert_int_equal(json_written(&w), 10);
	assert_memory_equal(buffer, "\"a\\u0000b\"", 10);
	json_writer_init(&w, buffer, sizeof(buffer), 2);
	json_array_begin(&w);
	json_array_end(&w);
	assert_memory_equal(buffer, "[]", 2);
	json_writer_init(&w, buffer, sizeof(buffer), 0);
	json_object_begin(&w);
	json_member_u64(&w, "u", 0);
	json_member_i64(&w, "i", -1);
	json_member_double(&w, "d", 0.25);
	json_member_bool(&w, "b", false);
	json_member_string_n(&w, "s", NULL, 0);
	json_object_end(&w);
	assert_int_equal(json_written(&w), 40);
	assert_memory_equal(buffer, "{\"u\":0,\"i\":-1,\"d\":0.25,\"b\":false,\"s\":\"\"}", 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_single_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
