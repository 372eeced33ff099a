#include "content.h"

#include "chance.h"

#include <string.h>

void content_make(uint8_t *content, size_t size, uint64_t seed)
{
    uint64_t state = chance_seed(seed);
    size_t i;

    for (i = 0; i < size; i += sizeof state) {
        uint64_t word = chance_next(&state);

        memcpy(content + i, &word, size - i < sizeof word ? size - i : sizeof word);
    }
}

int content_is(const uint8_t *content, size_t size, size_t expected_size, uint64_t seed)
{
    uint64_t state = chance_seed(seed);
    size_t i;

    if (size != expected_size)
        return 0;
    for (i = 0; i < size; i += sizeof state) {
        uint64_t word = chance_next(&state);

        if (memcmp(content + i, &word, size - i < sizeof word ? size - i : sizeof word) != 0)
            return 0;
    }
    return 1;
}

size_t content_size(uint64_t *chance)
{
    unsigned kind = chance_below(chance, 2000);

    if (kind == 0)
        return LARGEST_CONTENT;
    if (kind < 20)
        return 1 + chance_below(chance, 256 << 10);
    if (kind < 200)
        return 1 + chance_below(chance, 16 << 10);
    return 1 + chance_below(chance, 500);
}
