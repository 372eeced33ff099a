/*
 * native.h: what every host does with the native API: open a context, wrap and
 * unwrap with the outputs checked, and keep the events that come as structs.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include "host.h"

#include <stdint.h>

/* An event as it was when its handler ran, copied into scratch memory. */
struct happening {
    unsigned type;
    char *channel, *message_id;
    struct bytes message;
    size_t dependencies;
    char *missing_id, *missing_sender; /* of the first */
    struct bytes missing_hint;
    unsigned attempts;
    size_t channels;
    char *first_channel;
};

/* A diary keeps, in order, what the handlers that share it were given. */
struct diary {
    pthread_mutex_t lock;
    size_t count;
    struct happening entries[2048];
};

static inline struct diary *new_diary(void)
{
    struct diary *diary = scratch(sizeof *diary);

    pthread_mutex_init(&diary->lock, NULL);
    return diary;
}

static inline char *text_copy(const char *text) { return text == NULL ? NULL : scratch_copy(text, strlen(text)); }

static inline struct bytes bytes_copy(const uint8_t *data, size_t length)
{
    struct bytes bytes = {(unsigned char *)scratch_copy((const char *)data, length), length};

    return bytes;
}

static inline void keep_event(const SdsEvent *event, void *userData)
{
    struct diary *diary = userData;
    struct happening entry = {0};

    EXPECT_NUMBER(event->size, sizeof *event);
    EXPECT((event->message == NULL) == (event->messageLen == 0));
    EXPECT((event->deps == NULL) == (event->depCount == 0));
    EXPECT((event->channelIds == NULL) == (event->channelCount == 0));
    entry.type = event->type;
    entry.channel = text_copy(event->channelId);
    entry.message_id = text_copy(event->messageId);
    entry.message = bytes_copy(event->message, event->messageLen);
    entry.dependencies = event->depCount;
    if (event->depCount > 0) {
        entry.missing_id = text_copy(event->deps[0].messageId);
        entry.missing_sender = text_copy(event->deps[0].senderId);
        entry.missing_hint = bytes_copy(event->deps[0].hint, event->deps[0].hintLen);
    }
    entry.attempts = event->attempts;
    entry.channels = event->channelCount;
    if (event->channelCount > 0)
        entry.first_channel = text_copy(event->channelIds[0]);
    pthread_mutex_lock(&diary->lock);
    if (diary->count < sizeof diary->entries / sizeof diary->entries[0])
        diary->entries[diary->count++] = entry;
    pthread_mutex_unlock(&diary->lock);
}

/* diary_count tells how many such events there were; id may be NULL. */
static inline int diary_count(struct diary *diary, unsigned type, const char *id)
{
    int found = 0;
    size_t i;

    pthread_mutex_lock(&diary->lock);
    for (i = 0; i < diary->count; i++) {
        struct happening *entry = &diary->entries[i];

        found += entry->type == type &&
                 (id == NULL || (entry->message_id != NULL && strcmp(entry->message_id, id) == 0));
    }
    pthread_mutex_unlock(&diary->lock);
    return found;
}

/* diary_find returns the first event of a type, or one of type 0. */
static inline struct happening diary_find(struct diary *diary, unsigned type)
{
    struct happening found = {0};
    size_t i;

    pthread_mutex_lock(&diary->lock);
    for (i = diary->count; i-- > 0;)
        if (diary->entries[i].type == type)
            found = diary->entries[i];
    pthread_mutex_unlock(&diary->lock);
    return found;
}

/* EXPECT_STATUS checks what a native function returned, shows its words where that was not to be, and frees them. */
#define EXPECT_STATUS(call, want) expect_status((call), (want), &error, #call, __FILE__, __LINE__)

static inline void expect_status(int got, int want, char **error, const char *what, const char *file, int line)
{
    if (!expect_number(got, want, what, file, line) && *error != NULL)
        printf("        %s\n", *error);
    expect_number(*error == NULL, want == SDS_OK, "there is no error text", file, line);
    if (*error != NULL)
        expect_true(strncmp(*error, "libsds error: ", 14) == 0, "the error text is the library's", file, line);
    SdsFree(*error);
    *error = NULL;
}

/* EXPECT_WORDS checks status and words. */
#define EXPECT_WORDS(call, want, words) expect_words((call), (want), (words), &error, #call, __FILE__, __LINE__)

static inline void expect_words(int got, int want, const char *words, char **error, const char *what, const char *file,
                                int line)
{
    expect_number(got, want, what, file, line);
    expect_text(*error, words, what, file, line);
    SdsFree(*error);
    *error = NULL;
}

/* open_native returns a new context that keeps its events in a diary, which may be NULL. */
static inline void *open_native(const char *participant, const char *config, struct diary *diary)
{
    SdsOptions options = {0};
    char *error = NULL;
    void *ctx = NULL;

    options.size = sizeof options;
    options.participantId = participant;
    options.configJson = config;
    options.eventHandler = diary != NULL ? keep_event : NULL;
    options.eventUserData = diary;
    EXPECT_STATUS(SdsOpen(&options, &ctx, &error), SDS_OK);
    EXPECT(ctx != NULL);
    return ctx;
}

static inline void close_native(void *ctx) { EXPECT_NUMBER(SdsClose(ctx), SDS_OK); }

/* taken moves a payload of the library into scratch memory. */
static inline struct bytes taken(uint8_t *message, size_t length)
{
    struct bytes bytes = bytes_copy(message, length);

    EXPECT((message == NULL) == (length == 0));
    SdsFree(message);
    return bytes;
}

static inline struct bytes wrap_native(void *ctx, const char *channel, const char *id, const char *content)
{
    uint8_t *message = NULL;
    size_t length = 0;
    char *error = NULL;

    EXPECT_STATUS(SdsWrap(ctx, channel, id, content, strlen(content), &message, &length, &error), SDS_OK);
    EXPECT(length > 0);
    return taken(message, length);
}

/* unwrap_native returns a result, which the caller frees; never NULL. */
static inline SdsUnwrapped *unwrap_native(void *ctx, struct bytes wire)
{
    SdsUnwrapped *result = NULL;
    char *error = NULL;

    EXPECT_STATUS(SdsUnwrap(ctx, wire.data, wire.length, &result, &error), SDS_OK);
    if (result == NULL)
        abort();
    EXPECT_NUMBER(result->size, sizeof *result);
    EXPECT((result->content == NULL) == (result->contentLen == 0));
    EXPECT((result->missing == NULL) == (result->missingCount == 0));
    return result;
}

/* receive unwraps, and drops the result. */
static inline void receive(void *ctx, struct bytes wire) { SdsFree(unwrap_native(ctx, wire)); }

static inline int64_t unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* tick runs what is due at a time, and returns when to call again. */
static inline int64_t tick(void *ctx, int64_t now)
{
    int64_t next = 0;
    char *error = NULL;

    EXPECT_STATUS(SdsTick(ctx, now, &next, &error), SDS_OK);
    EXPECT(next > now);
    return next;
}

#endif
