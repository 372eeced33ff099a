/*
 * host.h: what every host does with the library: call it, keep what the
 * callback says, read a result, wait for an event.
 */
#ifndef HOST_H
#define HOST_H

#include "expect.h"
#include "json.h"

#include <libsds.h>

/* Bytes in scratch memory. */
struct bytes {
    unsigned char *data;
    size_t length;
};

/* What one call gave: its return value and what its callback got, copied. */
struct answer {
    int returned;
    int calls; /* how often the callback was called */
    int code;
    int terminated; /* msg[len] was NUL, or msg was NULL */
    char *text;
    size_t length;
};

static inline void take_answer(int code, const char *text, size_t length, void *userData)
{
    struct answer *answer = userData;

    answer->calls++;
    answer->code = code;
    answer->length = length;
    answer->terminated = text == NULL || text[length] == '\0';
    answer->text = scratch_copy(text, length);
}

/* count_calls is the callback of those who only want to know that they were called: userData is an atomic_int or NULL. */
static inline void count_calls(int code, const char *text, size_t length, void *userData)
{
    (void)code;
    (void)text;
    (void)length;
    if (userData != NULL)
        atomic_fetch_add((atomic_int *)userData, 1);
}

/* A message may carry more detail after what the ABI fixes, behind ": ". */
static inline int begins_with(const char *text, const char *fixed)
{
    size_t length = strlen(fixed);

    return text != NULL && strncmp(text, fixed, length) == 0 &&
           (text[length] == '\0' || strncmp(text + length, ": ", 2) == 0);
}

static inline void expect_answer(struct answer answer, int returned, int code, const char *text, const char *file,
                                 int line)
{
    expect_number(answer.returned, returned, "return value", file, line);
    expect_number(answer.calls, 1, "number of callbacks", file, line);
    expect_number(answer.code, code, "callerRet", file, line);
    expect_number(answer.terminated, 1, "NUL-terminated", file, line);
    if (text != NULL && !begins_with(answer.text, text))
        expect_text(answer.text, text, "msg", file, line);
}

/* The call did what it was asked to; EXPECT_DONE: and has nothing to tell. */
#define EXPECT_OK(answer) expect_answer((answer), RET_OK, RET_OK, NULL, __FILE__, __LINE__)
#define EXPECT_DONE(answer) expect_answer((answer), RET_OK, RET_OK, "", __FILE__, __LINE__)
/* An argument is wrong: RET_ERR both ways. */
#define EXPECT_REFUSED(answer, text) expect_answer((answer), RET_ERR, RET_ERR, (text), __FILE__, __LINE__)
/* The operation failed: the call itself went well, the callback gets RET_ERR. */
#define EXPECT_FAILED(answer, text) expect_answer((answer), RET_OK, RET_ERR, (text), __FILE__, __LINE__)

static inline struct answer wrap_bytes(void *ctx, const char *channel, const char *id, const void *content,
                                       size_t length)
{
    struct answer answer = {0};

    answer.returned = SdsWrapOutgoingMessage(ctx, (void *)(size_t)content, length, id, channel, take_answer, &answer);
    return answer;
}

static inline struct answer wrap(void *ctx, const char *channel, const char *id, const char *content)
{
    return wrap_bytes(ctx, channel, id, content, strlen(content));
}

static inline struct answer unwrap(void *ctx, struct bytes wire)
{
    struct answer answer = {0};

    answer.returned = SdsUnwrapReceivedMessage(ctx, wire.data, wire.length, take_answer, &answer);
    return answer;
}

static inline struct answer mark_met(void *ctx, const char *channel, char **ids, size_t count)
{
    struct answer answer = {0};

    answer.returned = SdsMarkDependenciesMet(ctx, ids, count, channel, take_answer, &answer);
    return answer;
}

static inline struct answer start_tasks(void *ctx)
{
    struct answer answer = {0};

    answer.returned = SdsStartPeriodicTasks(ctx, take_answer, &answer);
    return answer;
}

static inline struct answer cleanup(void *ctx)
{
    struct answer answer = {0};

    answer.returned = SdsCleanupReliabilityManager(ctx, take_answer, &answer);
    return answer;
}

/* open_context returns a new context and checks that its callback agreed. config may be NULL. */
static inline void *open_context(const char *participant, const char *config)
{
    struct answer answer = {0};
    void *ctx = SdsNewReliabilityManagerWithConfig(participant, config, take_answer, &answer);

    EXPECT(ctx != NULL);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT_NUMBER(answer.code, RET_OK);
    EXPECT_TEXT(answer.text, "");
    return ctx;
}

/* close_context checks that a cleanup answers as it must: RET_OK with NULL and 0. */
static inline void close_context(void *ctx)
{
    struct answer answer = cleanup(ctx);

    EXPECT_NUMBER(answer.returned, RET_OK);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT_NUMBER(answer.code, RET_OK);
    EXPECT_TEXT(answer.text, NULL);
    EXPECT_NUMBER(answer.length, 0);
}

/* read_decimal turns "10,3,105" into bytes; length 0 where the text is anything else. */
static inline struct bytes read_decimal(const char *text)
{
    struct bytes bytes = {NULL, 0}, nothing = {NULL, 0};
    const char *at = text;

    if (text == NULL)
        return nothing;
    bytes.data = scratch(strlen(text) / 2 + 1);
    for (;;) {
        char *end;
        unsigned long value = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 256;

        if (value > 255)
            return nothing;
        bytes.data[bytes.length++] = (unsigned char)value;
        if (*end == '\0')
            return bytes;
        if (*end != ',')
            return nothing;
        at = end + 1;
    }
}

/* read_base64 decodes the padded standard alphabet; length 0 where the text is anything else. */
static inline struct bytes read_base64(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct bytes bytes = {NULL, 0}, nothing = {NULL, 0};
    size_t length = text != NULL ? strlen(text) : 0, i;

    if (length == 0 || length % 4 != 0)
        return nothing;
    bytes.data = scratch(length / 4 * 3);
    for (i = 0; i < length; i += 4) {
        int padding = i + 4 == length ? (text[i + 2] == '=') + (text[i + 3] == '=') : 0, j;
        unsigned long group = 0;

        for (j = 0; j < 4; j++) {
            const char *digit = j < 4 - padding ? strchr(alphabet, text[i + (size_t)j]) : alphabet;

            if (digit == NULL || *digit == '\0')
                return nothing;
            group = group << 6 | (unsigned long)(digit - alphabet);
        }
        for (j = 0; j < 3 - padding; j++)
            bytes.data[bytes.length++] = (unsigned char)(group >> (16 - 8 * j));
    }
    return bytes;
}

/* wrapped wraps a text, checks that this went well and returns the wire bytes. */
static inline struct bytes wrapped(void *ctx, const char *channel, const char *id, const char *content)
{
    struct answer answer = wrap(ctx, channel, id, content);
    struct bytes wire = read_decimal(answer.text);

    EXPECT_OK(answer);
    EXPECT(wire.length > 0);
    return wire;
}

/* unwrapped unwraps a message, checks that this went well and returns the result. */
static inline struct json unwrapped(void *ctx, struct bytes wire)
{
    struct answer answer = unwrap(ctx, wire);
    struct json result = json_parse(answer.text, answer.length);

    EXPECT_OK(answer);
    EXPECT(json_first(result) == '{');
    return result;
}

/* A journal keeps, in order, what the callbacks that share it were told. */
struct entry {
    int is_event;
    int code;
    char *text;
    size_t length;
    pthread_t thread;
};

struct journal {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
    struct entry entries[4096];
};

static inline struct journal *new_journal(void)
{
    struct journal *journal = scratch(sizeof *journal);

    pthread_mutex_init(&journal->lock, NULL);
    pthread_cond_init(&journal->changed, NULL);
    return journal;
}

static inline void journal_add(struct journal *journal, int is_event, int code, const char *text, size_t length)
{
    struct entry entry = {is_event, code, scratch_copy(text, length), length, pthread_self()};

    pthread_mutex_lock(&journal->lock);
    if (journal->count < sizeof journal->entries / sizeof journal->entries[0])
        journal->entries[journal->count++] = entry;
    pthread_cond_broadcast(&journal->changed);
    pthread_mutex_unlock(&journal->lock);
}

static inline void journal_event(int code, const char *text, size_t length, void *userData)
{
    journal_add(userData, 1, code, text, length);
}

static inline void journal_result(int code, const char *text, size_t length, void *userData)
{
    journal_add(userData, 0, code, text, length);
}

/* event_matches tells whether an event has this type and, unless id is NULL, this message id. */
static inline int event_matches(struct entry entry, const char *type, const char *id)
{
    struct json event = json_parse(entry.text, entry.length);
    const char *its_type = json_string(json_get(event, "eventType"));
    const char *its_id = json_string(json_get(event, "messageId"));

    return entry.is_event && its_type != NULL && strcmp(its_type, type) == 0 &&
           (id == NULL || (its_id != NULL && strcmp(its_id, id) == 0));
}

/* journal_find returns the index of the first such event from `from` on; -1 if there is none. The lock is held. */
static inline long journal_find_locked(struct journal *journal, size_t from, const char *type, const char *id)
{
    size_t i;

    for (i = from; i < journal->count; i++)
        if (event_matches(journal->entries[i], type, id))
            return (long)i;
    return -1;
}

/* journal_find returns the first such event, or one without text. id may be NULL. */
static inline struct json journal_find(struct journal *journal, const char *type, const char *id)
{
    struct json nothing = {NULL, NULL};
    long index;

    pthread_mutex_lock(&journal->lock);
    index = journal_find_locked(journal, 0, type, id);
    pthread_mutex_unlock(&journal->lock);
    return index < 0 ? nothing : json_parse(journal->entries[index].text, journal->entries[index].length);
}

static inline size_t journal_count(struct journal *journal, const char *type, const char *id)
{
    size_t count = 0, i;

    pthread_mutex_lock(&journal->lock);
    for (i = 0; i < journal->count; i++)
        count += (size_t)event_matches(journal->entries[i], type, id);
    pthread_mutex_unlock(&journal->lock);
    return count;
}

/* journal_wait waits until there is such an event, a minute at most. The figure only bounds a failure. */
static inline struct json journal_wait(struct journal *journal, const char *type, const char *id)
{
    struct json nothing = {NULL, NULL};
    struct timespec limit;
    long index;
    int result = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    pthread_mutex_lock(&journal->lock);
    while ((index = journal_find_locked(journal, 0, type, id)) < 0 && result == 0)
        result = pthread_cond_timedwait(&journal->changed, &journal->lock, &limit);
    pthread_mutex_unlock(&journal->lock);
    return index < 0 ? nothing : json_parse(journal->entries[index].text, journal->entries[index].length);
}

/* A small filter keeps the messages of tests that send many of them short. */
#define SMALL_FILTER "\"bloomFilterCapacity\":1000"

#endif
