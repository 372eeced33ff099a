/*
 * payload.h: messages written by hand, field by field, so that a test can say
 * what no well-behaved sender would. The format is sds-0.4 unless a test
 * writes something else. A payload owns its memory: payload_free.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "host.h"

#include <stdint.h>

struct payload {
    unsigned char *data;
    size_t length;
    size_t capacity;
};

static inline void payload_raw(struct payload *payload, const void *data, size_t length)
{
    if (payload->capacity - payload->length < length) {
        payload->capacity = (payload->length + length) * 2;
        payload->data = realloc(payload->data, payload->capacity);
        if (payload->data == NULL)
            abort();
        /* The library's runtime may look at the word that follows an id: it must not be one that valgrind minds. */
        memset(payload->data + payload->length, 0, payload->capacity - payload->length);
    }
    if (length > 0)
        memcpy(payload->data + payload->length, data, length);
    payload->length += length;
}

static inline void payload_varint(struct payload *payload, uint64_t value)
{
    unsigned char encoded[10];
    size_t length = 0;

    do {
        encoded[length++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    payload_raw(payload, encoded, length);
}

/* payload_number writes a varint field. */
static inline void payload_number(struct payload *payload, unsigned field, uint64_t value)
{
    payload_varint(payload, (uint64_t)field << 3);
    payload_varint(payload, value);
}

/* payload_bytes writes a length-delimited field. */
static inline void payload_bytes(struct payload *payload, unsigned field, const void *data, size_t length)
{
    payload_varint(payload, (uint64_t)field << 3 | 2);
    payload_varint(payload, length);
    payload_raw(payload, data, length);
}

static inline void payload_text(struct payload *payload, unsigned field, const char *text)
{
    payload_bytes(payload, field, text, strlen(text));
}

/* payload_filter writes a bloom filter into field 6. */
static inline void payload_filter(struct payload *payload, const void *words, size_t length, uint64_t capacity,
                                  uint64_t error_rate, uint64_t k, uint64_t m)
{
    struct payload filter = {0};

    payload_bytes(&filter, 1, words, length);
    payload_number(&filter, 2, capacity);
    payload_number(&filter, 3, error_rate);
    payload_number(&filter, 4, k);
    payload_number(&filter, 5, m);
    payload_bytes(payload, 6, filter.data, filter.length);
    free(filter.data);
}

static inline void payload_free(struct payload *payload)
{
    free(payload->data);
    memset(payload, 0, sizeof *payload);
}

static inline struct bytes payload_view(const struct payload *payload)
{
    struct bytes bytes = {payload->data, payload->length};

    return bytes;
}

#endif
