/*
 * portable.c - what must hold on every system that libsds is built for, in C99 and without
 * anything of POSIX but threads: the hosts of tests/capi say more, where those run.
 *
 *     portable [FOLDER]   the folder, which is where its store lies, is "." otherwise
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif

#include <libsds.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#include <windows.h>
static void sleep_ms(int ms) { Sleep((DWORD)ms); }
static void set_environment(const char *name, const char *value) { _putenv_s(name, value); }
#else
static void sleep_ms(int ms)
{
    struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

    nanosleep(&pause, NULL);
}
static void set_environment(const char *name, const char *value) { setenv(name, value, 1); }
#endif

/* ---- checks --------------------------------------------------------------------------- */

static const char *folder = ".";
static int checks, failures, failed_rules;

static int expect(int holds, const char *what, int line)
{
    checks++;
    if (!holds) {
        failures++;
        printf("    portable.c:%d: expected: %s\n", line, what);
    }
    return holds;
}
#define EXPECT(condition) expect((condition) ? 1 : 0, #condition, __LINE__)

static char *error;

static int returns(int status, int want, const char *what, int line)
{
    checks++;
    if (status != want) {
        failures++;
        printf("    portable.c:%d: %s is %d, expected %d: %s\n", line, what, status, want, error != NULL ? error : "");
    }
    if ((error != NULL) != (want != SDS_OK))
        expect(0, "words where and only where something went wrong", line);
    SdsFree(error);
    error = NULL;
    return status == want;
}
#define RETURNS(want, call) returns((call), (want), #call, __LINE__)

static void run(const char *name, void (*rule)(void))
{
    checks = failures = 0;
    rule();
    if (checks == 0 || failures > 0)
        failed_rules++;
    printf("--- %s: portable/%s\n", checks == 0 || failures > 0 ? "FAIL" : "PASS", name);
    fflush(stdout);
}
#define RUN(rule) run(#rule, rule)

/* ---- participants --------------------------------------------------------------------- */

/* A participant, what it delivered, and its last payload. */
struct peer {
    void *ctx;
    char log[1024]; /* "m1=text m2=text " */
    int acknowledged, missing, reminded;
    uint8_t *payload;
    size_t len;
    struct peer *hearer; /* of what its events have it send; may be NULL */
};

static void hear(struct peer *p, const uint8_t *payload, size_t len)
{
    SdsUnwrapped *m;

    RETURNS(SDS_OK, SdsUnwrap(p->ctx, payload, len, &m, &error));
    SdsFree(m);
}

static void sync_with_hearer(struct peer *p)
{
    uint8_t *payload;
    size_t len;

    if (p->hearer == NULL)
        return;
    RETURNS(SDS_OK, SdsWrapSync(p->ctx, "lobby", &payload, &len, &error));
    hear(p->hearer, payload, len);
    SdsFree(payload);
}

static void on_event(const SdsEvent *event, void *user)
{
    struct peer *p = (struct peer *)user;
    size_t end = strlen(p->log);

    switch (event->type) {
    case SDS_EVENT_MESSAGE_READY:
        snprintf(p->log + end, sizeof p->log - end, "%s=%.*s ", event->messageId, (int)event->messageLen,
                 event->messageLen > 0 ? (const char *)event->message : "");
        break;
    case SDS_EVENT_MESSAGE_SENT:
        p->acknowledged++;
        break;
    case SDS_EVENT_MISSING_DEPENDENCIES:
        p->missing += (int)event->depCount;
        break;
    case SDS_EVENT_PERIODIC_SYNC:
        p->reminded++;
        sync_with_hearer(p);
        break;
    case SDS_EVENT_REPAIR_READY:
    case SDS_EVENT_RESEND_READY:
        if (p->hearer != NULL)
            hear(p->hearer, event->message, event->messageLen);
        break;
    }
}

static int open_with(struct peer *p, const char *name, const char *config, const SdsPersistence *procedures, void *table)
{
    SdsOptions options;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.participantId = name;
    options.configJson = config;
    options.eventHandler = on_event;
    options.eventUserData = p;
    options.persistence = procedures;
    options.persistenceUserData = table;
    return SdsOpen(&options, &p->ctx, &error);
}

static void begin(struct peer *p, const char *name, const char *config)
{
    memset(p, 0, sizeof *p);
    RETURNS(SDS_OK, open_with(p, name, config, NULL, NULL));
}

static void end(struct peer *p)
{
    RETURNS(SDS_OK, SdsClose(p->ctx));
    SdsFree(p->payload);
    p->payload = NULL;
}

/* Makes a payload and keeps it in p. */
static void say(struct peer *p, const char *id, const char *text)
{
    SdsFree(p->payload);
    RETURNS(SDS_OK, SdsWrap(p->ctx, "lobby", id, text, strlen(text), &p->payload, &p->len, &error));
}

static void tick(struct peer *p)
{
    struct timespec t;
    int64_t now, next = 0;

    clock_gettime(CLOCK_REALTIME, &t);
    now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    RETURNS(SDS_OK, SdsTick(p->ctx, now, &next, &error));
    EXPECT(next > now);
}

/* ---- rules ---------------------------------------------------------------------------- */

static void library_is_that_of_the_header(void)
{
    EXPECT(strcmp(SdsVersion(), SDS_VERSION) == 0);
    EXPECT(SdsAbiVersion() == SDS_ABI_VERSION);
    EXPECT(strcmp(SdsStatusString(SDS_ERR_PERSISTENCE), SdsStatusString(SDS_OK)) != 0);
    SdsFree(NULL);
}

static void message_is_wrapped_unwrapped_and_acknowledged(void)
{
    struct peer alice, bob;

    begin(&alice, "alice", NULL);
    begin(&bob, "bob", NULL);
    say(&alice, "m1", "hello");
    hear(&bob, alice.payload, alice.len);
    EXPECT(strcmp(bob.log, "m1=hello ") == 0);
    say(&bob, "m2", "hi");
    hear(&alice, bob.payload, bob.len);
    EXPECT(alice.acknowledged == 1);
    EXPECT(strcmp(alice.log, "m2=hi ") == 0);
    end(&alice);
    end(&bob);
}

static void lost_message_is_missed_and_repaired_by_ticks(void)
{
    const char *config = "{\"repairTMinMs\": 0, \"repairTMaxMs\": 1000, \"repairSweepIntervalMs\": 100, "
                         "\"syncMessageIntervalMs\": 100}";
    struct peer alice, bob;
    int waited;

    begin(&alice, "alice", config);
    begin(&bob, "bob", config);
    alice.hearer = &bob;
    bob.hearer = &alice;
    say(&alice, "m1", "lost");
    say(&alice, "m2", "found");
    hear(&bob, alice.payload, alice.len);
    EXPECT(bob.missing == 1);
    EXPECT(bob.log[0] == '\0');
    for (waited = 0; waited < 30000 && bob.log[0] == '\0'; waited += 20) {
        tick(&alice);
        tick(&bob);
        sleep_ms(20);
    }
    EXPECT(bob.reminded > 0);
    EXPECT(strcmp(bob.log, "m1=lost m2=found ") == 0);
    end(&alice);
    end(&bob);
}

static void store_survives_a_restart_and_serves_one_context(void)
{
    struct peer alice, bob, thief;
    SdsUnwrapped *m;
    char file[512], config[600], *inspection;

    snprintf(file, sizeof file, "%s/portable.sds", folder);
    snprintf(config, sizeof config, "{\"storePath\": \"%s\"}", file);
    remove(file);
    begin(&alice, "alice", NULL);
    begin(&bob, "bob", config);
    say(&alice, "m1", "kept");
    hear(&bob, alice.payload, alice.len);
    say(&bob, "m2", "too");
    memset(&thief, 0, sizeof thief);
    RETURNS(SDS_ERR_PERSISTENCE, open_with(&thief, "thief", config, NULL, NULL));
    EXPECT(thief.ctx == NULL);
    end(&bob);

    begin(&bob, "bob", config);
    RETURNS(SDS_OK, SdsUnwrap(bob.ctx, alice.payload, alice.len, &m, &error));
    EXPECT(m != NULL && m->duplicate && m->contentLen == 4 && memcmp(m->content, "kept", 4) == 0);
    SdsFree(m);
    EXPECT(bob.log[0] == '\0');
    RETURNS(SDS_OK, SdsInspect(bob.ctx, "lobby", &inspection, &error));
    EXPECT(inspection != NULL && strstr(inspection, "\"m1\"") != NULL && strstr(inspection, "\"m2\"") != NULL);
    SdsFree(inspection);
    say(&bob, "m3", "again");
    hear(&alice, bob.payload, bob.len);
    end(&bob);
    end(&alice);
    EXPECT(remove(file) == 0);
}

/* A store of the host's: the newest meta, and messages. */
struct table {
    uint8_t *meta;
    size_t meta_len;
    struct {
        uint8_t *bytes;
        size_t len;
    } messages[16];
    size_t count;
    int refused; /* calls from inside a procedure that were */
};

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
    uint8_t *kept = malloc(len > 0 ? len : 1);

    if (kept == NULL)
        abort();
    memcpy(kept, bytes, len);
    return kept;
}

static int save_meta(SdsCall *call, const char *channel, const uint8_t *meta, size_t len, void *user)
{
    struct table *t = (struct table *)user;
    char *json;

    (void)call;
    (void)channel;
    t->refused += SdsChannels(user, &json, NULL) == SDS_ERR_INVALID_ARGUMENT;
    free(t->meta);
    t->meta = copy(meta, len);
    t->meta_len = len;
    return 0;
}

static int update_history(SdsCall *call, const char *channel, const SdsHistoryRecord *append, size_t count,
                          const char *const *evict, size_t evicted, void *user)
{
    struct table *t = (struct table *)user;
    size_t i;

    (void)channel;
    (void)evict;
    if (evicted > 0 || t->count + count > sizeof t->messages / sizeof t->messages[0]) {
        SdsFail(call, "the table is full");
        return 1;
    }
    for (i = 0; i < count; i++, t->count++) {
        t->messages[t->count].bytes = copy(append[i].message, append[i].messageLen);
        t->messages[t->count].len = append[i].messageLen;
    }
    return 0;
}

static int load_channel(SdsCall *call, const char *channel, void *user)
{
    struct table *t = (struct table *)user;
    size_t i;

    if (strcmp(channel, "forbidden") == 0) {
        SdsFail(call, "not this one");
        return 1;
    }
    if (t->meta != NULL)
        SdsLoadMeta(call, t->meta, t->meta_len);
    for (i = 0; i < t->count; i++)
        SdsLoadMessage(call, t->messages[i].bytes, t->messages[i].len);
    return 0;
}

static int drop_channel(SdsCall *call, const char *channel, void *user)
{
    (void)call;
    (void)channel;
    (void)user;
    return 0;
}

static void procedures_of_the_host_survive_a_restart(void)
{
    struct table table;
    struct peer alice, bob;
    SdsPersistence procedures;
    SdsUnwrapped *m;
    size_t i;

    memset(&table, 0, sizeof table);
    memset(&procedures, 0, sizeof procedures);
    procedures.size = sizeof procedures;
    procedures.saveChannelMeta = save_meta;
    procedures.updateHistory = update_history;
    procedures.loadChannel = load_channel;
    procedures.dropChannel = drop_channel;
    begin(&alice, "alice", NULL);
    say(&alice, "m1", "kept");

    memset(&bob, 0, sizeof bob);
    RETURNS(SDS_OK, open_with(&bob, "bob", NULL, &procedures, &table));
    hear(&bob, alice.payload, alice.len);
    end(&bob);
    EXPECT(table.count == 1 && table.refused > 0);

    memset(&bob, 0, sizeof bob);
    RETURNS(SDS_OK, open_with(&bob, "bob", NULL, &procedures, &table));
    RETURNS(SDS_OK, SdsUnwrap(bob.ctx, alice.payload, alice.len, &m, &error));
    EXPECT(m != NULL && m->duplicate);
    SdsFree(m);
    EXPECT(SdsEnsureChannel(bob.ctx, "forbidden", &error) == SDS_ERR_PERSISTENCE && error != NULL &&
           strstr(error, "not this one") != NULL);
    SdsFree(error);
    error = NULL;
    end(&bob);
    end(&alice);
    for (i = 0; i < table.count; i++)
        free(table.messages[i].bytes);
    free(table.meta);
}

/* How often the timer has looked. */
static long ticks(struct peer *p)
{
    static const char value[] = "\"value\":";
    char *json, *found = NULL;
    long count = 0;

    if (RETURNS(SDS_OK, SdsStats(p->ctx, &json, &error)) && (found = strstr(json, "\"sds_ticks_total\"")) != NULL)
        found = strstr(found, value);
    if (found != NULL)
        count = strtol(found + sizeof value - 1, NULL, 10);
    SdsFree(json);
    return count;
}

static void timer_of_the_library_runs_on_its_own_thread(void)
{
    struct peer alice;
    int waited;

    begin(&alice, "alice", "{\"syncMessageIntervalMs\": 100, \"bufferSweepIntervalMs\": 100}");
    say(&alice, "m1", "hello");
    RETURNS(SDS_OK, SdsStart(alice.ctx, &error));
    for (waited = 0; waited < 30000 && ticks(&alice) < 8; waited += 50)
        sleep_ms(50);
    end(&alice); /* once it returned, no event comes any more, and reminded can be read */
    EXPECT(alice.reminded >= 3);
}

static void configuration_is_taken_from_the_environment(void)
{
    struct peer alice;

    memset(&alice, 0, sizeof alice);
    set_environment("SDS_CONFIG", "{\"maxContentBytes\": 4}");
    begin(&alice, "alice", NULL);
    set_environment("SDS_CONFIG", "{}");
    RETURNS(SDS_ERR_MESSAGE_TOO_LARGE,
            SdsWrap(alice.ctx, "lobby", "m1", "hello", 5, &alice.payload, &alice.len, &error));
    EXPECT(alice.payload == NULL && alice.len == 0);
    end(&alice);
}

static void what_is_wrong_is_an_error_and_no_crash(void)
{
    struct peer alice;
    SdsUnwrapped *m;
    int local;

    begin(&alice, "alice", NULL);
    RETURNS(SDS_ERR_DESERIALIZATION, SdsUnwrap(alice.ctx, "\xff\xff\xff", 3, &m, &error));
    EXPECT(m == NULL);
    RETURNS(SDS_ERR_DESERIALIZATION, SdsUnwrap(alice.ctx, NULL, 0, &m, &error));
    RETURNS(SDS_ERR_INVALID_ARGUMENT, SdsUnwrap(alice.ctx, NULL, 1, &m, &error));
    RETURNS(SDS_ERR_INVALID_ARGUMENT, SdsWrap(alice.ctx, NULL, "m", "x", 1, &alice.payload, &alice.len, &error));
    RETURNS(SDS_ERR_INVALID_CONTEXT, SdsUnwrap(NULL, "x", 1, &m, &error));
    RETURNS(SDS_ERR_INVALID_CONTEXT, SdsUnwrap(&local, "x", 1, &m, &error));
    end(&alice);
    RETURNS(SDS_ERR_INVALID_CONTEXT, SdsUnwrap(alice.ctx, "x", 1, &m, &error));
    EXPECT(SdsClose(alice.ctx) == SDS_ERR_INVALID_CONTEXT);
}

/* The hint provider's block is freed by the library: both have to mean the same free(). */
static void give_hint(const char *id, char **hint, size_t *len, void *user)
{
    (void)id;
    (void)user;
    *hint = malloc(4);
    if (*hint != NULL)
        memcpy(*hint, "hint", *len = 4);
}

static void take_text(int code, const char *text, size_t len, void *user)
{
    char *out = (char *)user;

    snprintf(out, 1 << 20, "%d:%.*s", code, (int)len, text != NULL ? text : "");
}

static void api_of_the_replaced_library_works_too(void)
{
    char *text = malloc(1 << 20), content[] = "hello";
    void *ctx;

    if (text == NULL)
        abort();
    ctx = SdsNewReliabilityManagerWithConfig("alice", NULL, take_text, text);
    EXPECT(ctx != NULL && strcmp(text, "0:") == 0);
    SdsSetRetrievalHintProvider(ctx, give_hint, NULL);
    EXPECT(SdsWrapOutgoingMessage(ctx, content, 5, "m1", "lobby", take_text, text) == RET_OK);
    EXPECT(strncmp(text, "0:10,", 5) == 0 && strspn(text + 2, "0123456789,") == strlen(text + 2));
    EXPECT(SdsWrapOutgoingMessage(ctx, content, 5, "m2", "lobby", take_text, text) == RET_OK);
    EXPECT(strstr(text, ",104,105,110,116,") != NULL); /* "hint", for m1, which m2 cites */
    EXPECT(SdsCleanupReliabilityManager(ctx, take_text, text) == RET_OK);
    free(text);
}

enum { THREADS = 8, MESSAGES = 50 };

struct worker {
    void *ctx;
    int number, done;
};

static void *work(void *user)
{
    struct worker *w = (struct worker *)user;
    char channel[16], id[16];
    uint8_t *payload;
    size_t len;
    int i;

    snprintf(channel, sizeof channel, "c%d", w->number % 3);
    for (i = 0; i < MESSAGES; i++) {
        snprintf(id, sizeof id, "m%d-%d", w->number, i);
        w->done += SdsWrap(w->ctx, channel, id, id, strlen(id), &payload, &len, NULL) == SDS_OK;
        SdsFree(payload);
    }
    return NULL;
}

static void threads_of_the_host_share_a_context(void)
{
    struct peer alice;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    int i;

    begin(&alice, "alice", NULL);
    for (i = 0; i < THREADS; i++) {
        workers[i].ctx = alice.ctx;
        workers[i].number = i;
        workers[i].done = 0;
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
            abort();
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        EXPECT(workers[i].done == MESSAGES);
    }
    end(&alice);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        folder = argv[1];
    RUN(library_is_that_of_the_header);
    RUN(message_is_wrapped_unwrapped_and_acknowledged);
    RUN(lost_message_is_missed_and_repaired_by_ticks);
    RUN(store_survives_a_restart_and_serves_one_context);
    RUN(procedures_of_the_host_survive_a_restart);
    RUN(timer_of_the_library_runs_on_its_own_thread);
    RUN(configuration_is_taken_from_the_environment);
    RUN(what_is_wrong_is_an_error_and_no_crash);
    RUN(api_of_the_replaced_library_works_too);
    RUN(threads_of_the_host_share_a_context);
    return failed_rules > 0;
}
