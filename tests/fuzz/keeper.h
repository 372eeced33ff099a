/*
 * keeper.h: persistence procedures of a host that is not to be relied on. They keep
 * a few channels in memory, across contexts, and do whatever an order says: fail,
 * hand back something else, keep half.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include "input.h"

#include <libsds.h>

enum { KEPT_CHANNELS = 4, KEPT_MESSAGES = 16 };

struct kept {
    char *name;
    struct span meta;
    struct {
        char *id;
        int64_t lamport;
        struct span message, hint;
    } log[KEPT_MESSAGES];
};

static struct kept keeper[KEPT_CHANNELS];

/* What the next procedure calls do, each once; 0 is what they should. */
static struct input orders;

static inline void forget_kept(struct kept *kept)
{
    free(kept->name);
    free((void *)kept->meta.data);
    for (int i = 0; i < KEPT_MESSAGES; i++) {
        free(kept->log[i].id);
        free((void *)kept->log[i].message.data);
        free((void *)kept->log[i].hint.data);
    }
    memset(kept, 0, sizeof *kept);
}

static inline void forget_everything(void)
{
    for (int i = 0; i < KEPT_CHANNELS; i++)
        forget_kept(&keeper[i]);
}

static inline struct kept *kept_of(const char *channel)
{
    for (int i = 0; i < KEPT_CHANNELS; i++)
        if (keeper[i].name != NULL && strcmp(keeper[i].name, channel) == 0)
            return &keeper[i];
    for (int i = 0; i < KEPT_CHANNELS; i++)
        if (keeper[i].name == NULL) {
            keeper[i].name = strdup(channel);
            return &keeper[i];
        }
    return NULL;
}

static inline void replace(struct span *span, const void *data, size_t length)
{
    void *copy = length > 0 ? malloc(length) : NULL;

    if (length > 0)
        memcpy(copy, data, length);
    free((void *)span->data);
    *span = (struct span){copy, length};
}

/* Does what any procedure may be ordered to, and tells whether it was that. */
static inline int ordered(SdsCall *call, int *result)
{
    struct span span;

    *result = 0;
    switch (next_byte(&orders) % 16) {
    case 1: *result = 1; return 1;
    case 2: *result = -1; SdsFail(call, "the keeper is tired"); return 1;
    case 3: *result = 7; SdsFail(call, NULL); return 1;
    case 4: SdsFail(call, "\xff\n"); return 0; /* and says that it succeeded */
    case 5: SdsFail(NULL, "nobody asked"); return 0;
    case 6: /* what only loading may do */
        span = next_odd_bytes(&orders);
        SdsLoadMeta(call, span.data, span.length);
        SdsLoadMessage((SdsCall *)1, span.data, span.length);
        return 0;
    case 7: *result = SdsReset(call, NULL); return 0; /* no context, and no moment */
    }
    return 0;
}

static int keep_meta(SdsCall *call, const char *channel, const uint8_t *meta, size_t length, void *user)
{
    struct kept *kept;
    int result;

    (void)user;
    if (ordered(call, &result) || (kept = kept_of(channel)) == NULL)
        return result;
    replace(&kept->meta, meta, length);
    return result;
}

static int keep_history(SdsCall *call, const char *channel, const SdsHistoryRecord *append, size_t appended,
                        const char *const *evict, size_t evicted, void *user)
{
    struct kept *kept;
    int result, i;

    (void)user;
    if (ordered(call, &result) || (kept = kept_of(channel)) == NULL)
        return result;
    for (size_t n = 0; n < evicted; n++)
        for (i = 0; i < KEPT_MESSAGES; i++)
            if (kept->log[i].id != NULL && strcmp(kept->log[i].id, evict[n]) == 0) {
                free(kept->log[i].id);
                kept->log[i].id = NULL;
                replace(&kept->log[i].hint, NULL, 0);
            }
    for (size_t n = 0; n < appended; n++) {
        int place = -1;

        for (i = 0; i < KEPT_MESSAGES; i++)
            if (kept->log[i].id == NULL ? place < 0 : strcmp(kept->log[i].id, append[n].messageId) == 0)
                place = i;
        if (place < 0)
            continue;
        free(kept->log[place].id);
        kept->log[place].id = strdup(append[n].messageId);
        kept->log[place].lamport = append[n].lamport;
        replace(&kept->log[place].message, append[n].message, append[n].messageLen);
    }
    return result;
}

static int keep_hint(SdsCall *call, const char *channel, const char *id, const uint8_t *hint, size_t length, void *user)
{
    struct kept *kept;
    int result;

    (void)user;
    if (ordered(call, &result) || (kept = kept_of(channel)) == NULL)
        return result;
    for (int i = 0; i < KEPT_MESSAGES; i++)
        if (kept->log[i].id != NULL && strcmp(kept->log[i].id, id) == 0)
            replace(&kept->log[i].hint, hint, length);
    return result;
}

static int keep_all(SdsCall *call, const char *channel, const uint8_t *meta, size_t length,
                    const SdsHistoryRecord *append, size_t appended, const char *const *evict, size_t evicted, void *user)
{
    int result = keep_meta(call, channel, meta, length, user);

    return result != 0 ? result : keep_history(call, channel, append, appended, evict, evicted, user);
}

static int drop_kept(SdsCall *call, const char *channel, void *user)
{
    struct kept *kept;
    int result;

    (void)user;
    if (!ordered(call, &result) && (kept = kept_of(channel)) != NULL)
        forget_kept(kept);
    return result;
}

/* Hands over what is kept, out of order, and what an order puts in its place. */
static int load_kept(SdsCall *call, const char *channel, void *user)
{
    struct kept *kept;
    struct span span;
    size_t at;
    int result;

    (void)user;
    if (ordered(call, &result) || (kept = kept_of(channel)) == NULL)
        return result;
    switch (next_byte(&orders) % 8) {
    case 1: /* a snapshot that nobody made */
        span = next_odd_bytes(&orders);
        SdsLoadMeta(call, span.data, span.length);
        break;
    case 2: /* the same twice, damaged the second time */
        SdsLoadMeta(call, kept->meta.data, kept->meta.length);
        at = next_byte(&orders);
        if (kept->meta.length > 0)
            ((uint8_t *)kept->meta.data)[at % kept->meta.length] ^= (uint8_t)(1 << next_byte(&orders) % 8);
        SdsLoadMeta(call, kept->meta.data, kept->meta.length);
        break;
    case 3: /* half of it */
        SdsLoadMeta(call, kept->meta.data, kept->meta.length / 2);
        break;
    case 4: /* messages that nobody made */
        span = next_odd_bytes(&orders);
        SdsLoadMessage(call, span.data, span.length);
        break;
    case 5:
        span = next_odd_bytes(&orders);
        SdsLoadHint(call, next_byte(&orders) % 2 ? NULL : "m", span.data, span.length);
        break;
    default:
        if (kept->meta.length > 0)
            SdsLoadMeta(call, kept->meta.data, kept->meta.length);
    }
    for (int i = 0; i < KEPT_MESSAGES; i++)
        if (kept->log[i].id != NULL) {
            SdsLoadMessage(call, kept->log[i].message.data, kept->log[i].message.length);
            if (kept->log[i].hint.length > 0)
                SdsLoadHint(call, kept->log[i].id, kept->log[i].hint.data, kept->log[i].hint.length);
        }
    return result;
}

/* A table, with procedures missing and sizes at odds now and then. */
static inline const SdsPersistence *next_table(struct input *in)
{
    static SdsPersistence table;
    uint8_t choice = next_byte(in);

    table = (SdsPersistence){sizeof table, keep_meta, keep_history, load_kept, drop_kept, keep_hint, keep_all};
    if (choice % 4 == 0)
        return NULL;
    if (choice % 4 == 1)
        table.commit = NULL;
    switch (choice / 4) {
    case 1: table.setRetrievalHint = NULL; break;
    case 2: table.saveChannelMeta = NULL; break;
    case 3: table.loadChannel = NULL; break;
    case 4: table.size = 0; break;
    case 5: table.size = offsetof(SdsPersistence, commit); break;
    case 6: table.size = sizeof table / 2; break;
    }
    return &table;
}

#endif
