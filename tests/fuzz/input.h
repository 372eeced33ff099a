/*
 * input.h: reading a fuzzer's bytes as choices and arguments. At their end come
 * zeros. Everything that is handed out lies in a block of exactly its size, so that
 * AddressSanitizer sees a read past its end; drop_blocks frees all of them.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *at, *end;
};

static void *blocks[4096];
static size_t block_count;

static inline void *keep_block(const void *data, size_t length)
{
    void *block;

    if (block_count == sizeof blocks / sizeof blocks[0])
        return NULL;
    block = malloc(length);
    if (length > 0)
        memcpy(block, data, length);
    return blocks[block_count++] = block;
}

static inline void drop_blocks(void)
{
    while (block_count > 0)
        free(blocks[--block_count]);
}

static inline uint8_t next_byte(struct input *in) { return in->at < in->end ? *in->at++ : 0; }

/* One after the other: in one expression, compilers differ in which is first. */
static inline size_t next_short(struct input *in)
{
    size_t high = next_byte(in);

    return high << 8 | next_byte(in);
}

static inline int64_t next_number(struct input *in)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | next_byte(in);
    return (int64_t)number;
}

struct span {
    const void *data;
    size_t length;
};

/* Bytes: a length, and then themselves. */
static inline struct span next_bytes(struct input *in)
{
    struct span span;
    size_t left, length = next_byte(in);

    if (length == 255)
        length = next_short(in);
    left = (size_t)(in->end - in->at);
    span.length = length < left ? length : left;
    span.data = keep_block(in->at, span.length);
    if (span.data == NULL)
        span.length = 0;
    in->at += span.length;
    return span;
}

/* Bytes whose length does not fit them now and then, in ways that the header tells of. */
static inline struct span next_odd_bytes(struct input *in)
{
    struct span span = next_bytes(in);

    switch (next_byte(in)) {
    case 1: return (struct span){NULL, 0};
    case 2: return (struct span){NULL, span.length};
    case 3: return (struct span){NULL, SIZE_MAX};
    case 4: return (struct span){span.data, SIZE_MAX};
    case 5: return (struct span){span.data, 0};
    case 6: return (struct span){span.data, span.length / 2};
    default: return span;
    }
}

/* A text: mostly one of a few, so that calls meet. */
static inline const char *next_text(struct input *in, const char *const *usual, size_t count)
{
    uint8_t choice = next_byte(in);
    struct span span;
    char *text;

    if (choice < 224)
        return usual[choice % count];
    switch (choice) {
    case 224: return NULL;
    case 225: return "";
    case 226: return "a\xc0\x80z"; /* a NUL, as the library shows it */
    case 227: return "\xff\xfe";
    case 228: /* too long */
        text = keep_block("", 1);
        if (text == NULL || (text = realloc(text, 1200)) == NULL)
            return NULL;
        blocks[block_count - 1] = text;
        memset(text, 'x', 1199);
        text[1199] = '\0';
        return text;
    }
    span = next_bytes(in);
    text = keep_block("", 1);
    if (text == NULL || (text = realloc(text, span.length + 1)) == NULL)
        return NULL;
    blocks[block_count - 1] = text;
    if (span.length > 0)
        memcpy(text, span.data, span.length);
    text[span.length] = '\0';
    return text;
}

#endif
