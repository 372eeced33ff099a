/*
 * database.h: the database of a host that keeps its channels itself, in memory,
 * so that it outlives a context: open_kept gives a participant its state back.
 * It notes the calls of its procedures, fails when told to, and checks of every
 * call what the header promises of it.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include "host.h"

enum procedure { SAVE_META, UPDATE_HISTORY, LOAD, DROP, SET_HINT, COMMIT, PROCEDURE_COUNT };

struct database_record {
    struct database_record *next; /* by (lamport, id) */
    char *id;
    int64_t lamport;
    struct bytes message;
    struct bytes hint;
};

struct database_channel {
    struct database_channel *next;
    char *id;
    struct bytes meta;
    struct database_record *records;
};

struct database {
    struct database_channel *channels;
    SdsPersistence procedures;

    /* What happened, a line for each call: "commit c +m2 -m1". */
    pthread_mutex_t lock;
    char notes[8192];

    /* How the next calls of a procedure fail. */
    struct {
        int returned;
        const char *words; /* NULL: none */
        int times;
    } faults[PROCEDURE_COUNT];

    /* Runs inside every procedure; the procedure returns what it returns, unless that is 0. */
    int (*hook)(struct database *database, SdsCall *call, enum procedure procedure);
    void *hook_argument;

    atomic_int inside;
    atomic_int overlaps;
    atomic_int calls;
};

static inline void note(struct database *database, const char *text)
{
    size_t length;

    pthread_mutex_lock(&database->lock);
    length = strlen(database->notes);
    snprintf(database->notes + length, sizeof database->notes - length, "%s", text);
    pthread_mutex_unlock(&database->lock);
}

/* take_notes returns what was noted since it was last called. */
static inline char *take_notes(struct database *database)
{
    char *notes;

    pthread_mutex_lock(&database->lock);
    notes = scratch_copy(database->notes, strlen(database->notes));
    database->notes[0] = '\0';
    pthread_mutex_unlock(&database->lock);
    return notes;
}

static inline struct bytes copy_bytes(const uint8_t *data, size_t length)
{
    struct bytes bytes = {(unsigned char *)scratch_copy((const char *)data, length), length};

    return bytes;
}

static inline struct database_channel *database_find(struct database *database, const char *id)
{
    struct database_channel *channel = database->channels;

    while (channel != NULL && strcmp(channel->id, id) != 0)
        channel = channel->next;
    return channel;
}

static inline struct database_channel *database_channel(struct database *database, const char *id)
{
    struct database_channel *channel = database_find(database, id);

    if (channel == NULL) {
        channel = scratch(sizeof *channel);
        channel->id = scratch_copy(id, strlen(id));
        channel->next = database->channels;
        database->channels = channel;
    }
    return channel;
}

static inline struct database_record *database_record(struct database *database, const char *channel, const char *id)
{
    struct database_record *record = database_channel(database, channel)->records;

    while (record != NULL && strcmp(record->id, id) != 0)
        record = record->next;
    return record;
}

static inline size_t database_log_length(struct database *database, const char *channel)
{
    struct database_record *record = database_channel(database, channel)->records;
    size_t count = 0;

    for (; record != NULL; record = record->next)
        count++;
    return count;
}

static inline struct bytes remove_record(struct database_channel *channel, const char *id)
{
    struct database_record **at = &channel->records;
    struct bytes hint = {NULL, 0};

    while (*at != NULL && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    if (*at != NULL) {
        hint = (*at)->hint;
        *at = (*at)->next;
    }
    return hint;
}

static inline void insert_record(struct database_channel *channel, const SdsHistoryRecord *added)
{
    struct database_record *record = scratch(sizeof *record), **at = &channel->records;

    record->hint = remove_record(channel, added->messageId);
    record->id = scratch_copy(added->messageId, strlen(added->messageId));
    record->lamport = added->lamport;
    record->message = copy_bytes(added->message, added->messageLen);
    while (*at != NULL && ((*at)->lamport < record->lamport ||
                           ((*at)->lamport == record->lamport && strcmp((*at)->id, record->id) < 0)))
        at = &(*at)->next;
    record->next = *at;
    *at = record;
}

/* ---- the procedures ------------------------------------------------------ */

/* enter notes a call and returns what the procedure has to return, if not 0. */
static inline int enter(struct database *database, SdsCall *call, enum procedure procedure, const char *words,
                        const char *channel)
{
    char line[256];
    int returned = 0;

    if (atomic_fetch_add(&database->inside, 1) != 0)
        atomic_fetch_add(&database->overlaps, 1);
    atomic_fetch_add(&database->calls, 1);
    snprintf(line, sizeof line, "%s %s", words, channel);
    note(database, line);
    if (database->hook != NULL)
        returned = database->hook(database, call, procedure);
    if (returned == 0 && database->faults[procedure].times != 0) {
        database->faults[procedure].times--;
        if (database->faults[procedure].words != NULL)
            SdsFail(call, database->faults[procedure].words);
        returned = database->faults[procedure].returned;
    }
    return returned;
}

static inline int leave(struct database *database, int returned)
{
    note(database, returned == 0 ? "\n" : " !\n");
    atomic_fetch_sub(&database->inside, 1);
    return returned;
}

static inline void apply_history(struct database *database, const char *channel, const SdsHistoryRecord *append,
                                 size_t append_count, const char *const *evict, size_t evict_count, int returned)
{
    char line[256];
    size_t i;

    EXPECT((append == NULL) == (append_count == 0));
    EXPECT((evict == NULL) == (evict_count == 0));
    for (i = 0; i < append_count; i++) {
        EXPECT(append[i].lamport > 0);
        EXPECT(append[i].messageLen > 0);
        snprintf(line, sizeof line, " +%s", append[i].messageId);
        note(database, line);
        if (returned == 0)
            insert_record(database_channel(database, channel), &append[i]);
    }
    for (i = 0; i < evict_count; i++) {
        snprintf(line, sizeof line, " -%s", evict[i]);
        note(database, line);
        if (returned == 0)
            remove_record(database_channel(database, channel), evict[i]);
    }
}

static inline int database_save_meta(SdsCall *call, const char *channel, const uint8_t *meta, size_t length,
                                     void *user_data)
{
    struct database *database = user_data;
    int returned = enter(database, call, SAVE_META, "meta", channel);

    EXPECT(meta != NULL && length > 0);
    if (returned == 0)
        database_channel(database, channel)->meta = copy_bytes(meta, length);
    return leave(database, returned);
}

static inline int database_update_history(SdsCall *call, const char *channel, const SdsHistoryRecord *append,
                                          size_t append_count, const char *const *evict, size_t evict_count,
                                          void *user_data)
{
    struct database *database = user_data;
    int returned = enter(database, call, UPDATE_HISTORY, "update", channel);

    EXPECT(append_count + evict_count > 0);
    apply_history(database, channel, append, append_count, evict, evict_count, returned);
    return leave(database, returned);
}

static inline int database_load(SdsCall *call, const char *channel, void *user_data)
{
    struct database *database = user_data;
    int returned = enter(database, call, LOAD, "load", channel);
    struct database_channel *kept = database_find(database, channel);
    struct database_record *record;

    if (returned != 0 || kept == NULL)
        return leave(database, returned);
    SdsLoadMeta(call, kept->meta.data, kept->meta.length);
    for (record = kept->records; record != NULL; record = record->next) {
        SdsLoadMessage(call, record->message.data, record->message.length);
        if (record->hint.length > 0)
            SdsLoadHint(call, record->id, record->hint.data, record->hint.length);
    }
    return leave(database, 0);
}

static inline int database_drop(SdsCall *call, const char *channel, void *user_data)
{
    struct database *database = user_data;
    int returned = enter(database, call, DROP, "drop", channel);
    struct database_channel **at = &database->channels;

    while (*at != NULL && strcmp((*at)->id, channel) != 0)
        at = &(*at)->next;
    if (returned == 0 && *at != NULL)
        *at = (*at)->next;
    return leave(database, returned);
}

static inline int database_set_hint(SdsCall *call, const char *channel, const char *id, const uint8_t *hint,
                                    size_t length, void *user_data)
{
    struct database *database = user_data;
    char line[256];
    int returned = enter(database, call, SET_HINT, "hint", channel);
    struct database_record *record = database_record(database, channel, id);

    EXPECT(hint != NULL && length > 0);
    snprintf(line, sizeof line, " %s=%.*s", id, (int)length, (const char *)hint);
    note(database, line);
    if (returned == 0 && record != NULL)
        record->hint = copy_bytes(hint, length);
    return leave(database, returned);
}

static inline int database_commit(SdsCall *call, const char *channel, const uint8_t *meta, size_t length,
                                  const SdsHistoryRecord *append, size_t append_count, const char *const *evict,
                                  size_t evict_count, void *user_data)
{
    struct database *database = user_data;
    int returned = enter(database, call, COMMIT, "commit", channel);

    EXPECT(meta != NULL && length > 0);
    if (returned == 0)
        database_channel(database, channel)->meta = copy_bytes(meta, length);
    apply_history(database, channel, append, append_count, evict, evict_count, returned);
    return leave(database, returned);
}

/* ---- opening ------------------------------------------------------------- */

/* new_database returns an empty database, with or without transactions. */
static inline struct database *new_database(int with_commit)
{
    struct database *database = scratch(sizeof *database);
    SdsPersistence procedures = {sizeof procedures, database_save_meta, database_update_history, database_load,
                                 database_drop, database_set_hint, NULL};

    if (with_commit) {
        procedures.saveChannelMeta = NULL;
        procedures.updateHistory = NULL;
        procedures.commit = database_commit;
    }
    database->procedures = procedures;
    pthread_mutex_init(&database->lock, NULL);
    return database;
}

/* The outcome of one SdsSetPersistence; the text is copied and freed. */
struct setting {
    int status;
    char *error;
};

static inline struct setting set_persistence(void *ctx, const SdsPersistence *procedures, void *user_data)
{
    char never_written, *error = &never_written;
    struct setting setting = {0};

    setting.status = SdsSetPersistence(ctx, procedures, user_data, &error);
    if (EXPECT(error != &never_written) && error != NULL) {
        setting.error = scratch_copy(error, strlen(error));
        SdsFree(error);
    }
    return setting;
}

#define EXPECT_SET(setting) expect_setting((setting), SDS_OK, NULL, __FILE__, __LINE__)
#define EXPECT_NOT_SET(setting, status, error) expect_setting((setting), (status), (error), __FILE__, __LINE__)

static inline void expect_setting(struct setting setting, int status, const char *error, const char *file, int line)
{
    expect_number(setting.status, status, "status", file, line);
    expect_text(setting.error, error, "error", file, line);
}

/* open_kept opens a context that is kept by a database. */
static inline void *open_kept(struct database *database, const char *participant, const char *config)
{
    void *ctx = open_context(participant, config);

    EXPECT_SET(set_persistence(ctx, &database->procedures, database));
    return ctx;
}

static inline void *reopen(void *ctx, struct database *database, const char *participant, const char *config)
{
    close_context(ctx);
    take_notes(database);
    return open_kept(database, participant, config);
}

/* ---- what rules about it have in common ----------------------------------------- */

/* Every rule about saving holds with transactions and without. */
#define FOR_BOTH_KINDS(with_commit) for (with_commit = 0; with_commit < 2; with_commit++)

/* as_saved turns what is expected of a host with transactions into what is expected of this one:
   "commit c +m" is "meta c" and "update c +m" where there is no commit. */
static inline const char *as_saved(struct database *database, const char *expected)
{
    char *result = scratch(2 * strlen(expected) + 1), *to = result;

    if (database->procedures.commit != NULL)
        return expected;
    while (*expected != '\0') {
        const char *end = strchr(expected, '\n') + 1;
        int length = (int)(end - expected), channel;

        if (strncmp(expected, "commit ", 7) == 0) {
            channel = (int)strcspn(expected + 7, " \n");
            to += sprintf(to, "meta %.*s\n", channel, expected + 7);
            if (expected[7 + channel] == ' ')
                to += sprintf(to, "update %.*s", length - 7, expected + 7);
        } else {
            to += sprintf(to, "%.*s", length, expected);
        }
        expected = end;
    }
    return result;
}

#define EXPECT_NOTES(database, expected) EXPECT_TEXT(take_notes(database), as_saved((database), (expected)))

static inline struct answer remove_channel(void *ctx, const char *channel)
{
    struct answer answer = {0};

    answer.returned = SdsRemoveChannel(ctx, channel, take_answer, &answer);
    return answer;
}

static inline int is_true(struct json object, const char *name) { return json_is(json_get(object, name), "true"); }

/* give_hint is a provider: "m1" is at "at:m1". */
static inline void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    char text[64];

    (void)userData;
    *hintLen = (size_t)snprintf(text, sizeof text, "at:%.32s", messageId);
    *hint = malloc(*hintLen);
    if (*hint != NULL)
        memcpy(*hint, text, *hintLen);
}

#endif
