/*
 * sqlite_store.c - a participant whose channels a host keeps in its own SQLite database.
 *
 * The first half of this file is the store: the procedures that SdsSetPersistence takes, over one
 * SQLite file. It is what to copy into a host that has a database. The second half is a short
 * conversation that proves it: alice is kept in the file and is restarted in the middle; her clock,
 * her log, what nobody has confirmed yet and where a message can be fetched are all there again.
 *
 * What a host has to get right, and where it is done here:
 *
 *   - what an operation changes is kept in one transaction      store_commit
 *   - an append replaces, an eviction takes its hint along      change_log
 *   - the log is handed back oldest first, by (lamport, id)     store_load_channel
 *   - every failure is told, in the words of the database       failed
 *   - a file of somebody else or of a newer version is refused  look_at
 *
 * Build:  cc -std=c11 -pthread examples/c/sqlite_store.c -lsds -lsqlite3 -o sqlite_store
 *         (or `make examples` in the source tree; README.md beside it says more)
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libsds.h>
#include <sqlite3.h>

/* ==== The store ================================================================================ */

/*
 * Ids are compared by their bytes, which is what SQLite does with text unless it is told otherwise.
 * They may hold any byte but NUL, and are written and read as they are.
 *
 * A host adds these tables to a database that it has already, with names that fit there. Then the
 * version belongs into a table of its own, because user_version is the whole database's.
 */
#define APPLICATION_ID 1396986673 /* "SDS1" in ASCII: whose file it is */
#define SCHEMA_VERSION 1

#define TEXT_OF(number) TEXT_OF_EXPANDED(number)
#define TEXT_OF_EXPANDED(number) #number

static const char SCHEMA[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE meta (channel TEXT NOT NULL PRIMARY KEY, meta BLOB NOT NULL);"
    "CREATE TABLE history (channel TEXT NOT NULL, id TEXT NOT NULL, lamport INTEGER NOT NULL,"
    "                      message BLOB NOT NULL, PRIMARY KEY (channel, id));"
    "CREATE INDEX history_in_order ON history (channel, lamport, id);"
    "CREATE TABLE hints (channel TEXT NOT NULL, id TEXT NOT NULL, hint BLOB NOT NULL,"
    "                    PRIMARY KEY (channel, id));"
    "PRAGMA application_id = " TEXT_OF(APPLICATION_ID) ";"
    "PRAGMA user_version = " TEXT_OF(SCHEMA_VERSION) ";"
    "COMMIT;";

enum {
    PUT_META,
    PUT_MESSAGE,
    PUT_HINT,
    DELETE_MESSAGE,
    DELETE_HINT,
    GET_META,
    GET_MESSAGES,
    GET_HINTS,
    DROP_META,
    DROP_MESSAGES,
    DROP_HINTS,
    STATEMENTS
};

static const char *const SQL[STATEMENTS] = {
    [PUT_META] = "INSERT INTO meta (channel, meta) VALUES (?1, ?2)"
                 " ON CONFLICT (channel) DO UPDATE SET meta = excluded.meta",
    [PUT_MESSAGE] = "INSERT INTO history (channel, id, lamport, message) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (channel, id) DO UPDATE SET lamport = excluded.lamport, message = excluded.message",
    [PUT_HINT] = "INSERT INTO hints (channel, id, hint) VALUES (?1, ?2, ?3)"
                 " ON CONFLICT (channel, id) DO UPDATE SET hint = excluded.hint",
    [DELETE_MESSAGE] = "DELETE FROM history WHERE channel = ?1 AND id = ?2",
    [DELETE_HINT] = "DELETE FROM hints WHERE channel = ?1 AND id = ?2",
    [GET_META] = "SELECT meta FROM meta WHERE channel = ?1",
    [GET_MESSAGES] = "SELECT message FROM history WHERE channel = ?1 ORDER BY lamport, id",
    [GET_HINTS] = "SELECT id, hint FROM hints WHERE channel = ?1",
    [DROP_META] = "DELETE FROM meta WHERE channel = ?1",
    [DROP_MESSAGES] = "DELETE FROM history WHERE channel = ?1",
    [DROP_HINTS] = "DELETE FROM hints WHERE channel = ?1",
};

/* It has no lock: the library never runs two procedures of a context at the same time. */
struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
};

/*
 * Tells the library what went wrong, undoes what was begun, and returns what a procedure returns then.
 * A failing save fails no operation, so a host has to notice by itself: this one prints it.
 */
static int failed(struct store *store, SdsCall *call)
{
    fprintf(stderr, "sqlite_store: %s\n", sqlite3_errmsg(store->db));
    SdsFail(call, sqlite3_errmsg(store->db));
    if (!sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return 1;
}

static bool execute(struct store *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* What a procedure is passed is there until it returns, so SQLite need not copy it (SQLITE_STATIC). */
static sqlite3_stmt *statement_for(struct store *store, int which, const char *channel)
{
    sqlite3_bind_text(store->statements[which], 1, channel, -1, SQLITE_STATIC);
    return store->statements[which];
}

/* Leaves a statement as it was found, so that nothing in it points to what is gone. */
static void put_away(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Runs a statement that returns no rows. */
static bool run(sqlite3_stmt *statement)
{
    bool done = sqlite3_step(statement) == SQLITE_DONE;

    put_away(statement);
    return done;
}

static bool put_meta(struct store *store, const char *channel, const uint8_t *meta, size_t size)
{
    sqlite3_stmt *put = statement_for(store, PUT_META, channel);

    sqlite3_bind_blob64(put, 2, meta, size, SQLITE_STATIC);
    return run(put);
}

static bool change_log(struct store *store, const char *channel, const SdsHistoryRecord *append, size_t append_count,
                       const char *const *evict, size_t evict_count)
{
    for (size_t i = 0; i < append_count; i++) {
        sqlite3_stmt *put = statement_for(store, PUT_MESSAGE, channel);

        sqlite3_bind_text(put, 2, append[i].messageId, -1, SQLITE_STATIC);
        sqlite3_bind_int64(put, 3, append[i].lamport);
        sqlite3_bind_blob64(put, 4, append[i].message, append[i].messageLen, SQLITE_STATIC);
        if (!run(put))
            return false;
    }
    for (size_t i = 0; i < evict_count; i++) {
        static const int both[] = {DELETE_MESSAGE, DELETE_HINT};

        for (size_t j = 0; j < 2; j++) {
            sqlite3_stmt *delete = statement_for(store, both[j], channel);

            sqlite3_bind_text(delete, 2, evict[i], -1, SQLITE_STATIC);
            if (!run(delete))
                return false;
        }
    }
    return true;
}

/* ---- The procedures --------------------------------------------------------------------------- */

static int store_commit(SdsCall *call, const char *channel, const uint8_t *meta, size_t meta_size,
                        const SdsHistoryRecord *append, size_t append_count, const char *const *evict,
                        size_t evict_count, void *user_data)
{
    struct store *store = user_data;

    if (execute(store, "BEGIN IMMEDIATE") && put_meta(store, channel, meta, meta_size) &&
        change_log(store, channel, append, append_count, evict, evict_count) && execute(store, "COMMIT"))
        return 0;
    return failed(store, call);
}

/* The next two are for a table without commit. One that has it needs neither. */
static int store_save_channel_meta(SdsCall *call, const char *channel, const uint8_t *meta, size_t meta_size,
                                   void *user_data)
{
    struct store *store = user_data;

    return put_meta(store, channel, meta, meta_size) ? 0 : failed(store, call);
}

static int store_update_history(SdsCall *call, const char *channel, const SdsHistoryRecord *append,
                                size_t append_count, const char *const *evict, size_t evict_count, void *user_data)
{
    struct store *store = user_data;

    if (execute(store, "BEGIN IMMEDIATE") &&
        change_log(store, channel, append, append_count, evict, evict_count) && execute(store, "COMMIT"))
        return 0;
    return failed(store, call);
}

static int store_load_channel(SdsCall *call, const char *channel, void *user_data)
{
    struct store *store = user_data;
    sqlite3_stmt *get = statement_for(store, GET_META, channel);
    int status = sqlite3_step(get);

    if (status == SQLITE_ROW) {
        const uint8_t *meta = sqlite3_column_blob(get, 0);

        SdsLoadMeta(call, meta, (size_t)sqlite3_column_bytes(get, 0));
        status = sqlite3_step(get);
    }
    put_away(get);
    if (status != SQLITE_DONE)
        return failed(store, call);

    get = statement_for(store, GET_MESSAGES, channel);
    while ((status = sqlite3_step(get)) == SQLITE_ROW) {
        const uint8_t *message = sqlite3_column_blob(get, 0);

        SdsLoadMessage(call, message, (size_t)sqlite3_column_bytes(get, 0));
    }
    put_away(get);
    if (status != SQLITE_DONE)
        return failed(store, call);

    get = statement_for(store, GET_HINTS, channel);
    while ((status = sqlite3_step(get)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(get, 0);
        const uint8_t *hint = sqlite3_column_blob(get, 1);

        SdsLoadHint(call, id, hint, (size_t)sqlite3_column_bytes(get, 1));
    }
    put_away(get);
    return status == SQLITE_DONE ? 0 : failed(store, call);
}

static int store_drop_channel(SdsCall *call, const char *channel, void *user_data)
{
    struct store *store = user_data;

    if (execute(store, "BEGIN IMMEDIATE") && run(statement_for(store, DROP_META, channel)) &&
        run(statement_for(store, DROP_MESSAGES, channel)) && run(statement_for(store, DROP_HINTS, channel)) &&
        execute(store, "COMMIT"))
        return 0;
    return failed(store, call);
}

static int store_set_retrieval_hint(SdsCall *call, const char *channel, const char *id, const uint8_t *hint,
                                    size_t hint_size, void *user_data)
{
    struct store *store = user_data;
    sqlite3_stmt *put = statement_for(store, PUT_HINT, channel);

    sqlite3_bind_text(put, 2, id, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(put, 3, hint, hint_size, SQLITE_STATIC);
    return run(put) ? 0 : failed(store, call);
}

static const SdsPersistence PROCEDURES = {
    .size = sizeof(SdsPersistence),
    .saveChannelMeta = store_save_channel_meta,
    .updateHistory = store_update_history,
    .loadChannel = store_load_channel,
    .dropChannel = store_drop_channel,
    .setRetrievalHint = store_set_retrieval_hint,
    .commit = store_commit,
};

/* ---- Opening and closing ---------------------------------------------------------------------- */

/* Reads the first column of the first row. */
static bool query_number(struct store *store, const char *sql, int *number)
{
    sqlite3_stmt *query = NULL;
    bool found = sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW;

    if (found)
        *number = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
    return found;
}

/* Looks whether the file is ours, or empty, and changes nothing. Returns what is wrong, or NULL. */
static const char *look_at(struct store *store, bool *empty)
{
    int application, version, tables;

    if (!query_number(store, "PRAGMA application_id", &application) ||
        !query_number(store, "PRAGMA user_version", &version) ||
        !query_number(store, "SELECT count(*) FROM sqlite_master", &tables))
        return sqlite3_errmsg(store->db);
    *empty = application == 0 && version == 0 && tables == 0;
    if (!*empty && application != APPLICATION_ID)
        return "it is another program's database";
    if (!*empty && version != SCHEMA_VERSION)
        return "it is of another version of this program";
    return NULL;
}

/*
 * Durability: what was committed survives a power cut with a log ahead of the file (WAL) that is
 * flushed at every commit (synchronous = FULL). A file that serves two processes at once would hold
 * the states of two participants of the same name, so this one locks it for itself.
 */
static const char *open_database(struct store *store, const char *path)
{
    const char *problem;
    bool empty = false;

    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return sqlite3_errmsg(store->db);
    sqlite3_busy_timeout(store->db, 1000); /* milliseconds */
    if (!execute(store, "PRAGMA locking_mode = EXCLUSIVE"))
        return sqlite3_errmsg(store->db);
    if ((problem = look_at(store, &empty)) != NULL)
        return problem;
    if (!execute(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL") || (empty && !execute(store, SCHEMA)))
        return sqlite3_errmsg(store->db);
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(store->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL) != SQLITE_OK)
            return sqlite3_errmsg(store->db);
    }
    return NULL;
}

/* Closing comes after SdsCleanupReliabilityManager: until that returns, procedures may run. */
static bool store_close(struct store *store)
{
    bool closed;

    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    closed = sqlite3_close(store->db) == SQLITE_OK;
    if (!closed)
        fprintf(stderr, "sqlite_store: the file was not closed: %s\n", sqlite3_errmsg(store->db));
    memset(store, 0, sizeof *store);
    return closed;
}

static bool store_open(struct store *store, const char *path)
{
    const char *problem;

    memset(store, 0, sizeof *store);
    problem = open_database(store, path);
    if (problem == NULL)
        return true;
    fprintf(stderr, "sqlite_store: %s: %s\n", path, problem);
    store_close(store);
    return false;
}

/* ==== The conversation ========================================================================= */

#define CHANNEL "garden"

/* So that a resend comes soon; the library's default is a minute. The others send nothing of themselves here. */
static const char CONFIG[] = "{\"resendIntervalMs\": 50, \"bufferSweepIntervalMs\": 20, \"maxResendAttempts\": 1000}";

#define LOST "   (lost on the way)"

enum { PATIENCE_SECONDS = 60 }; /* it only bounds a failure */

static bool survived = true; /* all that is looked at */

static void show(bool holds, const char *what)
{
    printf("  %s  %s\n", holds ? "yes" : "NO ", what);
    survived = survived && holds;
}

static void *must_have(void *memory)
{
    if (memory == NULL) {
        fputs("sqlite_store: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* What a callback was told, copied: a text is the library's. */
struct result {
    int status;
    char *text;
};

static void take_result(int status, const char *text, size_t size, void *user_data)
{
    struct result *result = user_data;

    result->status = status;
    result->text = must_have(malloc(size + 1));
    if (size > 0)
        memcpy(result->text, text, size);
    result->text[size] = '\0';
}

/* Says what a call failed with, if it did. */
static bool succeeded(int returned, const struct result *result, const char *what)
{
    if (returned == RET_OK && result->status == RET_OK)
        return true;
    fprintf(stderr, "sqlite_store: %s: %s\n", what, result->text);
    return false;
}

struct payload {
    unsigned char *bytes;
    size_t size;
};

/* The payload of "10,3,105". */
static struct payload payload_of_decimal(const char *text)
{
    struct payload payload = {must_have(malloc(strlen(text) / 2 + 1)), 0};

    while (*text != '\0') {
        char *end;

        payload.bytes[payload.size++] = (unsigned char)strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : end;
    }
    return payload;
}

/* The bytes of padded base64, with a NUL behind them. */
static struct payload payload_of_base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct payload payload = {must_have(calloc(strlen(text) / 4 * 3 + 1, 1)), 0};
    unsigned long bits = 0;
    int count = 0;

    for (; *text != '\0' && *text != '='; text++) {
        bits = bits << 6 | (unsigned long)(strchr(digits, *text) - digits);
        if ((count += 6) >= 8)
            payload.bytes[payload.size++] = (unsigned char)(bits >> (count -= 8));
    }
    return payload;
}

/* A string of the JSON after `from`; the strings looked for here have no escapes. A real host has a JSON parser. */
static char *json_text(const char *from, const char *key)
{
    char pattern[40];
    const char *start;
    size_t length;
    char *text;

    snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    start = strstr(from, pattern);
    start = start != NULL ? start + strlen(pattern) : "";
    length = strcspn(start, "\"");
    text = must_have(malloc(length + 1));
    memcpy(text, start, length);
    text[length] = '\0';
    return text;
}

static long long json_number(const char *from, const char *key)
{
    char pattern[40];
    const char *start;

    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    start = strstr(from, pattern);
    return start != NULL ? strtoll(start + strlen(pattern), NULL, 10) : -1;
}

/* Makes a payload of a text. The caller frees its bytes; NULL where it failed. */
static struct payload say(void *ctx, const char *name, const char *id, const char *text, const char *fate)
{
    struct result result = {RET_ERR, NULL};
    struct payload payload = {NULL, 0};
    char content[100];
    int returned;

    snprintf(content, sizeof content, "%s", text);
    printf("%-5s says %s: %s%s\n", name, id, text, fate);
    returned = SdsWrapOutgoingMessage(ctx, content, strlen(content), id, CHANNEL, take_result, &result);
    if (succeeded(returned, &result, "saying something"))
        payload = payload_of_decimal(result.text);
    free(result.text);
    return payload;
}

/* Takes a payload in. The caller frees the JSON; NULL where it failed. */
static char *hear(void *ctx, struct payload payload)
{
    struct result result = {RET_ERR, NULL};
    int returned = SdsUnwrapReceivedMessage(ctx, payload.bytes, payload.size, take_result, &result);

    if (succeeded(returned, &result, "hearing something"))
        return result.text;
    free(result.text);
    return NULL;
}

/* What alice's events told, and bob, who gets what is sent again. Events of the timers come on a thread of the library. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *bob;
    bool resent[8];    /* by the digit of the id "m3" */
    bool confirmed[8];
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void mark(bool *marks, const char *id)
{
    pthread_mutex_lock(&heard.lock);
    if (id[0] == 'm' && id[1] >= '0' && id[1] < '8')
        marks[id[1] - '0'] = true;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
}

static void on_event(int status, const char *json, size_t size, void *user_data)
{
    char *type = json_text(json, "eventType"), *id = json_text(json, "messageId");

    (void)status;
    (void)size;
    (void)user_data;
    if (strcmp(type, "message_sent") == 0) {
        mark(heard.confirmed, id);
    } else if (strcmp(type, "resend_ready") == 0) {
        char *message = json_text(json, "message");
        struct payload payload = payload_of_base64(message);

        free(hear(heard.bob, payload));
        free(payload.bytes);
        free(message);
        mark(heard.resent, id);
    }
    free(type);
    free(id);
}

static bool wait_until(const bool *first, const bool *second)
{
    struct timespec limit;
    bool both;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_SECONDS;
    pthread_mutex_lock(&heard.lock);
    while (!(both = *first && *second) && status == 0)
        status = pthread_cond_timedwait(&heard.changed, &heard.lock, &limit);
    pthread_mutex_unlock(&heard.lock);
    return both;
}

/* What alice knows of where messages can be fetched. */
static void give_hint(const char *id, char **hint, size_t *size, void *user_data)
{
    char text[64];

    (void)user_data;
    snprintf(text, sizeof text, "archive/%.40s", id);
    *hint = malloc(strlen(text)); /* the library frees it */
    if (*hint != NULL)
        memcpy(*hint, text, *size = strlen(text));
}

static void *open_participant(const char *name)
{
    struct result result = {RET_ERR, NULL};
    void *ctx = SdsNewReliabilityManagerWithConfig(name, CONFIG, take_result, &result);

    if (ctx == NULL)
        fprintf(stderr, "sqlite_store: %s: %s\n", name, result.text);
    free(result.text);
    return ctx;
}

static bool close_participant(void *ctx)
{
    struct result result = {RET_ERR, NULL};
    int returned = SdsCleanupReliabilityManager(ctx, take_result, &result);
    bool closed = succeeded(returned, &result, "closing");

    free(result.text);
    return closed;
}

/* Alice, and the store that keeps her. */
struct kept {
    struct store store;
    void *ctx;
};

static bool open_kept(struct kept *alice, const char *path, const SdsPersistence *procedures)
{
    char *error = NULL;

    if (!store_open(&alice->store, path))
        return false;
    alice->ctx = open_participant("alice");
    if (alice->ctx != NULL && SdsSetPersistence(alice->ctx, procedures, &alice->store, &error) == SDS_OK) {
        SdsSetEventCallback(alice->ctx, on_event, NULL);
        return true;
    }
    if (error != NULL)
        fprintf(stderr, "sqlite_store: %s\n", error);
    SdsFree(error);
    if (alice->ctx != NULL)
        close_participant(alice->ctx);
    store_close(&alice->store);
    return false;
}

static bool close_kept(struct kept *alice)
{
    bool closed = close_participant(alice->ctx);

    return store_close(&alice->store) && closed;
}

/* Shows what the file holds, and returns the time of the last message. */
static long long show_log(struct store *store)
{
    static const char sql[] = "SELECT h.id, h.lamport, length(h.message), ifnull(CAST(n.hint AS TEXT), '-') FROM history h"
                              " LEFT JOIN hints n USING (channel, id) WHERE channel = ?1 ORDER BY h.lamport, h.id";
    sqlite3_stmt *query = NULL;
    long long last = 0;

    if (sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) != SQLITE_OK)
        fprintf(stderr, "sqlite_store: %s\n", sqlite3_errmsg(store->db));
    sqlite3_bind_text(query, 1, CHANNEL, -1, SQLITE_STATIC);
    printf("\n  message  logical time  bytes  can be fetched at\n");
    while (sqlite3_step(query) == SQLITE_ROW) {
        last = sqlite3_column_int64(query, 1);
        printf("  %-7s  %12lld  %5d  %s\n", (const char *)sqlite3_column_text(query, 0), last, sqlite3_column_int(query, 2),
               (const char *)sqlite3_column_text(query, 3));
    }
    putchar('\n');
    sqlite3_finalize(query);
    return last;
}

/* The first session: a greeting and its answer, and two messages that are lost on their way. */
static bool before_the_restart(struct kept *alice, void *bob, struct payload *answer, long long *last)
{
    struct result result = {RET_ERR, NULL};
    struct payload greeting, lost;
    bool forgotten = succeeded(SdsRemoveChannel(alice->ctx, CHANNEL, take_result, &result), &result, "forgetting");

    free(result.text);
    if (!forgotten) /* what an earlier run may have left in the file */
        return false;
    SdsSetRetrievalHintProvider(alice->ctx, give_hint, NULL);
    greeting = say(alice->ctx, "alice", "m1", "The beans are up.", "");
    if (greeting.bytes != NULL) {
        free(hear(bob, greeting));
        free(greeting.bytes);
    }
    *answer = say(bob, "bob", "b1", "Mine too!", "");
    if (answer->bytes != NULL)
        free(hear(alice->ctx, *answer));
    lost = say(alice->ctx, "alice", "m2", "Frost tonight, cover them.", LOST);
    free(lost.bytes);
    lost = say(alice->ctx, "alice", "m3", "Are you there?", LOST);
    free(lost.bytes);
    *last = show_log(&alice->store);
    return true;
}

/* The second: everything is as if there had been no restart. Nobody gives hints any more. */
static bool after_the_restart(struct kept *alice, void *bob, struct payload answer, long long last)
{
    struct result result = {RET_ERR, NULL};
    struct payload next, goodbye, hint;
    char *known, *gap, *encoded;
    bool started;

    known = hear(alice->ctx, answer); /* the network repeats it */
    next = say(alice->ctx, "alice", "m4", "The cat is in your beans.", "");
    gap = next.bytes != NULL ? hear(bob, next) : NULL;
    free(next.bytes);
    if (known == NULL || gap == NULL) {
        free(known);
        free(gap);
        return false;
    }
    encoded = json_text(gap, "retrievalHint");
    hint = payload_of_base64(encoded);
    printf("\nWhat survived:\n");
    show(last > 0 && json_number(gap, "lamportTimestamp") > last, "the clock: m4 comes after m3");
    show(strstr(known, "\"duplicate\":true") != NULL, "the log: alice knows b1, which the network repeats");
    show(strstr(gap, "\"buffered\":true") != NULL && strcmp((char *)hint.bytes, "archive/m2") == 0,
         "the hint: bob lacks m2 and is told that it is at archive/m2");
    free(hint.bytes);
    free(encoded);
    free(known);
    free(gap);

    started = succeeded(SdsStartPeriodicTasks(alice->ctx, take_result, &result), &result, "starting the timers");
    free(result.text);
    if (!started)
        return false;
    show(survived && wait_until(&heard.resent[2], &heard.resent[3]), "what nobody had confirmed: m2 and m3 are sent again");
    goodbye = say(bob, "bob", "b2", "On my way!", "");
    if (goodbye.bytes != NULL)
        free(hear(alice->ctx, goodbye));
    free(goodbye.bytes);
    show(survived && wait_until(&heard.confirmed[2], &heard.confirmed[3]), "and that they are alice's: bob's answer confirms them");
    show_log(&alice->store);
    return true;
}

static bool converse(const char *path, const SdsPersistence *procedures)
{
    struct kept alice = {0};
    struct payload answer = {NULL, 0};
    long long last = 0;
    bool done = false, closed;
    void *bob = open_participant("bob");

    if (bob == NULL)
        return false;
    heard.bob = bob;
    if (open_kept(&alice, path, procedures)) {
        done = before_the_restart(&alice, bob, &answer, &last);
        closed = close_kept(&alice);
        done = done && closed && answer.bytes != NULL;
        if (done)
            printf("alice ends, and starts again with what is in %s\n\n", path);
        if (done && (done = open_kept(&alice, path, procedures))) {
            done = after_the_restart(&alice, bob, answer, last);
            closed = close_kept(&alice);
            done = done && closed;
        }
    }
    free(answer.bytes);
    return close_participant(bob) && done;
}

/* Makes an empty file for this run. */
static bool make_temporary(char *path, size_t size)
{
    const char *folder = getenv("TMPDIR");
    int descriptor;

    snprintf(path, size, "%s/sqlite_store-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
    descriptor = mkstemp(path);
    if (descriptor < 0) {
        fprintf(stderr, "sqlite_store: %s: %s\n", path, strerror(errno));
        return false;
    }
    close(descriptor);
    return true;
}

static const char HELP[] =
    "usage: sqlite_store [--separate] [FILE]\n"
    "\n"
    "Alice and bob talk. Alice is kept in the SQLite database FILE, ends in the midst of it,\n"
    "and goes on from what is there. Without FILE, a temporary one is made and removed.\n"
    "\n"
    "  --separate  save meta and log one after the other, as a host without transactions does\n"
    "  --help      this\n"
    "\n"
    "The exit status is 0 if everything survived, else 1.\n";

int main(int argc, char **argv)
{
    SdsPersistence procedures = PROCEDURES;
    const char *path = NULL;
    char temporary[4096];
    bool done;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(HELP, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--separate") == 0) {
            procedures.commit = NULL;
        } else if (argv[i][0] == '-' || path != NULL) {
            fputs(HELP, stderr);
            return 1;
        } else {
            path = argv[i];
        }
    }
    if (path == NULL) {
        if (!make_temporary(temporary, sizeof temporary))
            return 1;
        done = converse(temporary, &procedures);
        remove(temporary);
    } else {
        done = converse(path, &procedures);
    }
    return done && survived ? 0 : 1;
}
