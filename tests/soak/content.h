/* content.h: contents that can be recognised byte by byte without being kept. */
#ifndef CONTENT_H
#define CONTENT_H

#include <stddef.h>
#include <stdint.h>

/* content_make fills in a content. */
void content_make(uint8_t *content, size_t size, uint64_t seed);

/* content_is tells whether it is the one of this size and seed. */
int content_is(const uint8_t *content, size_t size, size_t expected_size, uint64_t seed);

/* content_size draws a size: most are small, a few are as large as they may be. */
size_t content_size(uint64_t *chance);

enum { LARGEST_CONTENT = 1 << 20 };

#endif
