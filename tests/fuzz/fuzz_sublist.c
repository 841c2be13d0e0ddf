/*
 * Fuzz target F6: a sublist and a brute-force model of it, steered by the same bytes, must agree after each step.
 */
#include "tests/unit/sublist_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	model_run(data, size);
	return 0;
}
