#include "keeping.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of their own. */
struct blob {
    uint8_t *data;
    size_t length;
};

struct record {
    struct record *next; /* by (lamport, id) */
    char *id;
    int64_t lamport;
    struct blob message, hint;
};

struct kept_channel {
    struct kept_channel *next;
    char *id;
    struct blob meta;
    struct record *records;
};

struct keeping {
    struct kept_channel *channels; /* procedures of one context never overlap: no lock */
};

static void replace(struct blob *blob, const uint8_t *data, size_t length)
{
    free(blob->data);
    blob->data = malloc(length > 0 ? length : 1);
    if (blob->data == NULL)
        abort();
    if (length > 0)
        memcpy(blob->data, data, length);
    blob->length = length;
}

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    if (copy == NULL)
        abort();
    return memcpy(copy, text, size);
}

static void free_record(struct record *record)
{
    free(record->id);
    free(record->message.data);
    free(record->hint.data);
    free(record);
}

static void free_channel(struct kept_channel *channel)
{
    while (channel->records != NULL) {
        struct record *next = channel->records->next;

        free_record(channel->records);
        channel->records = next;
    }
    free(channel->id);
    free(channel->meta.data);
    free(channel);
}

static struct kept_channel *find(struct keeping *keeping, const char *id)
{
    struct kept_channel *channel = keeping->channels;

    while (channel != NULL && strcmp(channel->id, id) != 0)
        channel = channel->next;
    return channel;
}

static struct kept_channel *find_or_make(struct keeping *keeping, const char *id)
{
    struct kept_channel *channel = find(keeping, id);

    if (channel != NULL)
        return channel;
    channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        abort();
    channel->id = copy_of(id);
    channel->next = keeping->channels;
    keeping->channels = channel;
    return channel;
}

/* take_out unlinks a record, or returns NULL. */
static struct record *take_out(struct kept_channel *channel, const char *id)
{
    struct record **at = &channel->records, *record;

    while (*at != NULL && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    record = *at;
    if (record != NULL)
        *at = record->next;
    return record;
}

static void append_record(struct kept_channel *channel, const SdsHistoryRecord *added)
{
    struct record *record = take_out(channel, added->messageId), **at = &channel->records;

    if (record == NULL) {
        record = calloc(1, sizeof *record);
        if (record == NULL)
            abort();
        record->id = copy_of(added->messageId);
    }
    record->lamport = added->lamport;
    replace(&record->message, added->message, added->messageLen);
    while (*at != NULL && ((*at)->lamport < record->lamport ||
                           ((*at)->lamport == record->lamport && strcmp((*at)->id, record->id) < 0)))
        at = &(*at)->next;
    record->next = *at;
    *at = record;
}

static int commit(SdsCall *call, const char *channel_id, const uint8_t *meta, size_t meta_length,
                  const SdsHistoryRecord *append, size_t append_count, const char *const *evict, size_t evict_count,
                  void *user_data)
{
    struct kept_channel *channel = find_or_make(user_data, channel_id);
    size_t i;

    (void)call;
    replace(&channel->meta, meta, meta_length);
    for (i = 0; i < evict_count; i++) {
        struct record *record = take_out(channel, evict[i]);

        if (record != NULL)
            free_record(record);
    }
    for (i = 0; i < append_count; i++)
        append_record(channel, &append[i]);
    return 0;
}

static int load(SdsCall *call, const char *channel_id, void *user_data)
{
    struct kept_channel *channel = find(user_data, channel_id);
    struct record *record;

    if (channel == NULL)
        return 0;
    SdsLoadMeta(call, channel->meta.data, channel->meta.length);
    for (record = channel->records; record != NULL; record = record->next) {
        SdsLoadMessage(call, record->message.data, record->message.length);
        if (record->hint.length > 0)
            SdsLoadHint(call, record->id, record->hint.data, record->hint.length);
    }
    return 0;
}

static int drop(SdsCall *call, const char *channel_id, void *user_data)
{
    struct keeping *keeping = user_data;
    struct kept_channel **at = &keeping->channels, *channel;

    (void)call;
    while (*at != NULL && strcmp((*at)->id, channel_id) != 0)
        at = &(*at)->next;
    channel = *at;
    if (channel != NULL) {
        *at = channel->next;
        free_channel(channel);
    }
    return 0;
}

static int set_hint(SdsCall *call, const char *channel_id, const char *message_id, const uint8_t *hint, size_t length,
                    void *user_data)
{
    struct kept_channel *channel = find(user_data, channel_id);
    struct record *record = channel != NULL ? channel->records : NULL;

    while (record != NULL && strcmp(record->id, message_id) != 0)
        record = record->next;
    if (record == NULL) {
        SdsFail(call, "a hint for a message that is not in the log");
        return 1;
    }
    replace(&record->hint, hint, length);
    return 0;
}

const SdsPersistence keeping_procedures = {
    .size = sizeof keeping_procedures,
    .loadChannel = load,
    .dropChannel = drop,
    .setRetrievalHint = set_hint,
    .commit = commit,
};

struct keeping *keeping_new(void)
{
    struct keeping *keeping = calloc(1, sizeof *keeping);

    if (keeping == NULL)
        abort();
    return keeping;
}

void keeping_free(struct keeping *keeping)
{
    while (keeping->channels != NULL) {
        struct kept_channel *next = keeping->channels->next;

        free_channel(keeping->channels);
        keeping->channels = next;
    }
    free(keeping);
}
