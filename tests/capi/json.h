/*
 * json.h: reading the JSON that the library answers with.
 *
 * A view is a slice of a text; a view whose start is NULL is "not there" and
 * every function accepts it. The grammar is checked strictly, so that a test
 * that reads an event also proves that the event is JSON.
 */
#ifndef JSON_H
#define JSON_H

#include "expect.h"

struct json {
    const char *start;
    const char *end;
};

enum { JSON_MAX_DEPTH = 32 };

static inline const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at) != NULL && *at != '\0')
        at++;
    return at;
}

static inline int json_hex(const char *at, const char *end, unsigned *value)
{
    int digits;

    *value = 0;
    for (digits = 0; digits < 4; digits++, at++) {
        static const char hex[] = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at < end && *at != '\0' ? strchr(hex, *at) : NULL;

        if (digit == NULL)
            return 0;
        *value = *value * 16 + (unsigned)(digit - hex) % 16;
    }
    return 1;
}

/* json_skip_string returns the place after the string at `at`, or NULL. */
static inline const char *json_skip_string(const char *at, const char *end)
{
    unsigned unit;

    if (at >= end || *at != '"')
        return NULL;
    for (at++; at < end && *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\')
            continue;
        at++;
        if (at >= end || *at == '\0' || strchr("\"\\/bfnrtu", *at) == NULL)
            return NULL;
        if (*at == 'u' && !json_hex(at + 1, end, &unit))
            return NULL;
    }
    return at < end ? at + 1 : NULL;
}

static inline const char *json_skip_word(const char *at, const char *end)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *begin = at;
    size_t i;

    for (i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0)
            return at + length;
    }
    while (at < end && *at != '\0' && strchr("+-.0123456789eE", *at) != NULL)
        at++;
    return at > begin ? at : NULL;
}

/* json_skip returns the place after the value at `at`, or NULL where the text is not JSON. */
static inline const char *json_skip(const char *at, const char *end, int depth)
{
    char closing;
    int object;

    at = json_skip_space(at, end);
    if (at >= end || depth > JSON_MAX_DEPTH)
        return NULL;
    if (*at == '"')
        return json_skip_string(at, end);
    if (*at != '{' && *at != '[')
        return json_skip_word(at, end);
    object = *at == '{';
    closing = object ? '}' : ']';
    at = json_skip_space(at + 1, end);
    if (at < end && *at == closing)
        return at + 1;
    while (at != NULL && at < end) {
        if (object) {
            at = json_skip_string(json_skip_space(at, end), end);
            at = at != NULL ? json_skip_space(at, end) : NULL;
            if (at == NULL || at >= end || *at++ != ':')
                return NULL;
        }
        at = json_skip(at, end, depth + 1);
        at = at != NULL ? json_skip_space(at, end) : NULL;
        if (at == NULL || at >= end)
            return NULL;
        if (*at == closing)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
    return NULL;
}

/* json_parse views a whole text, or nothing where the text is not exactly one JSON value. */
static inline struct json json_parse(const char *text, size_t length)
{
    struct json view = {text, text != NULL ? text + length : NULL};
    const char *after = text != NULL ? json_skip(text, view.end, 0) : NULL;

    if (after == NULL || json_skip_space(after, view.end) != view.end)
        view.start = view.end = NULL;
    return view;
}

/* json_next steps through the members of an object or the elements of an array: *at begins as NULL. */
static inline int json_next(struct json container, const char **at, struct json *key, struct json *value)
{
    const char *place;

    if (container.start == NULL)
        return 0;
    place = *at != NULL ? *at : json_skip_space(container.start, container.end) + 1;
    place = json_skip_space(place, container.end);
    if (*place == ',')
        place = json_skip_space(place + 1, container.end);
    if (*place == '}' || *place == ']')
        return 0;
    key->start = key->end = NULL;
    if (*json_skip_space(container.start, container.end) == '{') {
        key->start = place;
        key->end = json_skip_string(place, container.end);
        place = json_skip_space(json_skip_space(key->end, container.end) + 1, container.end);
    }
    value->start = place;
    value->end = json_skip(place, container.end, 0);
    *at = value->end;
    return 1;
}

static inline int json_is(struct json view, const char *text)
{
    return view.start != NULL && (size_t)(view.end - view.start) == strlen(text) &&
           memcmp(view.start, text, strlen(text)) == 0;
}

static inline char json_first(struct json view)
{
    return view.start != NULL ? *json_skip_space(view.start, view.end) : '\0';
}

static inline struct json json_get(struct json object, const char *name)
{
    struct json key, value, nothing = {NULL, NULL};
    const char *at = NULL;
    size_t length = strlen(name);

    if (json_first(object) != '{')
        return nothing;
    while (json_next(object, &at, &key, &value))
        if ((size_t)(key.end - key.start) == length + 2 && memcmp(key.start + 1, name, length) == 0)
            return value;
    return nothing;
}

static inline struct json json_at(struct json array, size_t index)
{
    struct json key, value, nothing = {NULL, NULL};
    const char *at = NULL;

    if (json_first(array) != '[')
        return nothing;
    while (json_next(array, &at, &key, &value))
        if (index-- == 0)
            return value;
    return nothing;
}

/* json_count returns how many elements an array has; -1 where it is none. */
static inline int json_count(struct json array)
{
    struct json key, value;
    const char *at = NULL;
    int count = 0;

    if (json_first(array) != '[')
        return -1;
    while (json_next(array, &at, &key, &value))
        count++;
    return count;
}

static inline char *json_put_utf8(char *to, unsigned point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

/* json_string returns the value of a string without its escapes, in scratch memory; NULL where it is none. */
static inline char *json_string(struct json view)
{
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    const char *at;
    char *result, *to;

    if (json_first(view) != '"')
        return NULL;
    result = to = scratch((size_t)(view.end - view.start));
    for (at = view.start + 1; at < view.end - 1; at++) {
        unsigned point, low;

        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (strchr(letters, *at) != NULL) {
            *to++ = controls[strchr(letters, *at) - letters];
        } else if (*at != 'u') {
            *to++ = *at;
        } else {
            json_hex(at + 1, view.end, &point);
            at += 4;
            if (point >= 0xd800 && point < 0xdc00 && at + 6 < view.end && json_hex(at + 3, view.end, &low)) {
                point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
            to = json_put_utf8(to, point);
        }
    }
    return result;
}

/* json_number returns an integer; -1 where the value is none. */
static inline long long json_number(struct json view)
{
    char first = json_first(view);

    return first == '-' || (first >= '0' && first <= '9') ? strtoll(view.start, NULL, 10) : -1;
}

#endif
