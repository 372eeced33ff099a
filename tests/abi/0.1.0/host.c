/*
 * A host that was written for version 0.1.0 and is compiled against the header of
 * that version (libsds.h in this folder). It uses every function and tells what
 * happened; every later library with the same SONAME has to make it say the same.
 *
 * It only says what the header promises for ever: statuses, not their words; of
 * JSON the keys that it knows; of structs the members that it knows; of events
 * the types that it knows.
 */
#include <libsds.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    printf("cannot go on: %s\n", what);
    exit(1);
}

static void *kept(void *memory)
{
    if (memory == NULL)
        fail("no memory");
    return memory;
}

static const char *yes(int condition) { return condition ? "yes" : "NO"; }

/* ---- what functions return ---------------------------------------------------- */

static const char *name_of(int status)
{
    switch (status) {
    case SDS_OK:
        return "done";
    case SDS_ERR:
        return "ERR";
    case SDS_ERR_MISSING_CALLBACK:
        return "MISSING_CALLBACK";
    case SDS_ERR_INVALID_ARGUMENT:
        return "INVALID_ARGUMENT";
    case SDS_ERR_OUT_OF_MEMORY:
        return "OUT_OF_MEMORY";
    case SDS_ERR_INTERNAL:
        return "INTERNAL";
    case SDS_ERR_SERIALIZATION:
        return "SERIALIZATION";
    case SDS_ERR_DESERIALIZATION:
        return "DESERIALIZATION";
    case SDS_ERR_MESSAGE_TOO_LARGE:
        return "MESSAGE_TOO_LARGE";
    case SDS_ERR_PERSISTENCE:
        return "PERSISTENCE";
    case SDS_ERR_LIMIT_EXCEEDED:
        return "LIMIT_EXCEEDED";
    case SDS_ERR_INVALID_CONTEXT:
        return "INVALID_CONTEXT";
    case SDS_ERR_FORKED:
        return "FORKED";
    }
    return "a status that 0.1.0 does not have";
}

/* The error text of the call that is being told of; a call that takes none leaves it as it is. */
static char unset[] = "";
static char *error = unset;

/* told tells of a call, checks that its error text is there when it should be, and frees that. */
static int told(const char *who, const char *what, int status)
{
    printf("%s %s: %s\n", who, what, name_of(status));
    if (error != unset) {
        if ((error == NULL) != (status == SDS_OK))
            printf("  the error text is %s\n", error == NULL ? "missing" : error);
        if (error != NULL && strncmp(error, "libsds error: ", 14) != 0)
            printf("  the error text begins otherwise: %s\n", error);
        SdsFree(error);
    }
    error = unset;
    return status;
}

struct payload {
    uint8_t *data;
    size_t length;
};

static struct payload no_payload(void)
{
    static uint8_t rubbish;
    struct payload payload = {&rubbish, 17};

    return payload;
}

/* made tells of a call that makes a payload; of one that failed the outputs are NULL and 0. */
static struct payload made(const char *who, const char *what, int status, struct payload payload)
{
    told(who, what, status);
    if ((payload.data != NULL) != (status == SDS_OK) || (payload.length > 0) != (status == SDS_OK))
        printf("  the outputs do not fit that\n");
    return payload;
}

static struct payload wrap(const char *who, void *ctx, const char *channel, const char *id, const char *content)
{
    struct payload p = no_payload();
    char what[128];
    int status = SdsWrap(ctx, channel, id, content, strlen(content), &p.data, &p.length, &error);

    snprintf(what, sizeof what, "wraps %s", id == NULL ? "nothing" : id);
    return made(who, what, status, p);
}

static struct payload wrap_sync(const char *who, void *ctx, const char *channel)
{
    struct payload p = no_payload();
    int status = SdsWrapSync(ctx, channel, &p.data, &p.length, &error);

    return made(who, "wraps a sync message", status, p);
}

static struct payload wrap_ephemeral(const char *who, void *ctx, const char *channel, const char *id,
                                     const char *content)
{
    struct payload p = no_payload();
    int status = SdsWrapEphemeral(ctx, channel, id, content, strlen(content), &p.data, &p.length, &error);

    return made(who, "wraps an ephemeral message", status, p);
}

static void tell_dependencies(const SdsDependency *dependencies, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        printf("    lacks %s of \"%s\", hint \"%.*s\"\n", dependencies[i].messageId, dependencies[i].senderId,
               (int)dependencies[i].hintLen, dependencies[i].hint == NULL ? "" : (const char *)dependencies[i].hint);
}

static const char *kind_of(uint32_t kind)
{
    switch (kind) {
    case SDS_KIND_CONTENT:
        return "content";
    case SDS_KIND_SYNC:
        return "sync";
    case SDS_KIND_EPHEMERAL:
        return "ephemeral";
    }
    return "a kind that 0.1.0 does not have";
}

/* unwrap tells of a received message, and returns its logical time. */
static uint64_t unwrap(const char *who, void *ctx, struct payload payload)
{
    static SdsUnwrapped rubbish;
    SdsUnwrapped *result = &rubbish;
    uint64_t lamport = 0;

    if (told(who, "unwraps", SdsUnwrap(ctx, payload.data, payload.length, &result, &error)) != SDS_OK) {
        if (result != NULL)
            printf("  the output does not fit that\n");
        return 0;
    }
    if (result->size < sizeof *result)
        fail("an SdsUnwrapped that lacks members");
    printf("  %s %s/%s of \"%s\": \"%.*s\"%s%s%s\n", kind_of(result->kind), result->channelId, result->messageId,
           result->senderId, (int)result->contentLen, result->content == NULL ? "" : (const char *)result->content,
           result->lamport > 0 ? ", with a time" : "", result->duplicate ? ", duplicate" : "",
           result->buffered ? ", buffered" : "");
    tell_dependencies(result->missing, result->missingCount);
    lamport = result->lamport;
    SdsFree(result);
    return lamport;
}

static uint64_t deliver(const char *who, void *ctx, struct payload payload)
{
    uint64_t lamport = unwrap(who, ctx, payload);

    SdsFree(payload.data);
    return lamport;
}

/* A sync message has an id of the library's making, which nobody can foretell. */
static void unwrap_sync(const char *who, void *ctx, struct payload payload)
{
    SdsUnwrapped *result = NULL;

    if (told(who, "unwraps", SdsUnwrap(ctx, payload.data, payload.length, &result, &error)) != SDS_OK)
        return;
    printf("  %s in %s of \"%s\", content: %s\n", kind_of(result->kind), result->channelId, result->senderId,
           result->content == NULL && result->contentLen == 0 ? "none" : "SOME");
    SdsFree(result);
}

/* ---- events --------------------------------------------------------------------- */

/* Who gets events, and the last payload that one of them asked to be broadcast. */
struct listener {
    const char *name;
    struct payload broadcast;
};

static void keep(struct listener *listener, const SdsEvent *event)
{
    free(listener->broadcast.data);
    listener->broadcast.data = kept(malloc(event->messageLen));
    listener->broadcast.length = event->messageLen;
    memcpy(listener->broadcast.data, event->message, event->messageLen);
}

static void hear(const SdsEvent *event, void *userData)
{
    struct listener *listener = userData;
    size_t i;

    if (event->size < sizeof *event)
        fail("an SdsEvent that lacks members");
    switch (event->type) {
    case SDS_EVENT_MESSAGE_READY:
        printf("  -> %s: %s/%s is ready \"%.*s\"\n", listener->name, event->channelId, event->messageId,
               (int)event->messageLen, event->message == NULL ? "" : (const char *)event->message);
        break;
    case SDS_EVENT_MESSAGE_SENT:
        printf("  -> %s: %s/%s is sent\n", listener->name, event->channelId, event->messageId);
        break;
    case SDS_EVENT_MISSING_DEPENDENCIES:
        printf("  -> %s: %s/%s waits\n", listener->name, event->channelId, event->messageId);
        tell_dependencies(event->deps, event->depCount);
        break;
    case SDS_EVENT_PERIODIC_SYNC:
        printf("  -> %s: time to say something in", listener->name);
        for (i = 0; i < event->channelCount; i++)
            printf(" %s", event->channelIds[i]);
        printf("\n");
        break;
    case SDS_EVENT_REPAIR_READY:
        printf("  -> %s: %s/%s is to be repaired\n", listener->name, event->channelId, event->messageId);
        keep(listener, event);
        break;
    case SDS_EVENT_RESEND_READY:
        printf("  -> %s: %s/%s is to be sent again, time %u\n", listener->name, event->channelId, event->messageId,
               (unsigned)event->attempts);
        keep(listener, event);
        break;
    case SDS_EVENT_DELIVERY_FAILED:
        printf("  -> %s: %s/%s is given up after %u\n", listener->name, event->channelId, event->messageId,
               (unsigned)event->attempts);
        break;
    case SDS_EVENT_DEPENDENCIES_LOST:
        printf("  -> %s: %s/%s lost what it waited for\n", listener->name, event->channelId, event->messageId);
        tell_dependencies(event->deps, event->depCount);
        break;
    default:
        break; /* of a later version */
    }
}

static void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    size_t length = strlen(userData) + strlen(messageId);

    *hint = kept(malloc(length + 1));
    sprintf(*hint, "%s%s", (const char *)userData, messageId);
    *hintLen = length;
}

/* ---- persistence, in memory ------------------------------------------------------- */

struct record {
    char id[64];
    int64_t lamport;
    struct payload message, hint;
};

/* One channel is enough here. Records are in the order that the log has. */
struct store {
    struct payload meta;
    struct record records[32];
    size_t count;
    int saves, commits, hints;
    int broken; /* loading fails */
};

static void replace(struct payload *payload, const uint8_t *data, size_t length)
{
    free(payload->data);
    payload->data = kept(malloc(length));
    payload->length = length;
    memcpy(payload->data, data, length);
}

static struct record *find(struct store *store, const char *id)
{
    size_t i;

    for (i = 0; i < store->count; i++)
        if (strcmp(store->records[i].id, id) == 0)
            return &store->records[i];
    return NULL;
}

static void forget(struct store *store, struct record *record)
{
    free(record->message.data);
    free(record->hint.data);
    memmove(record, record + 1, (size_t)(store->records + --store->count - record) * sizeof *record);
}

static void change(struct store *store, const SdsHistoryRecord *append, size_t appendCount, const char *const *evict,
                   size_t evictCount)
{
    size_t i, at;

    for (i = 0; i < evictCount; i++)
        if (find(store, evict[i]) != NULL)
            forget(store, find(store, evict[i]));
    for (i = 0; i < appendCount; i++) {
        if (find(store, append[i].messageId) != NULL)
            forget(store, find(store, append[i].messageId));
        if (store->count == sizeof store->records / sizeof store->records[0])
            fail("the store is full");
        for (at = store->count; at > 0; at--) {
            struct record *before = &store->records[at - 1];

            if (before->lamport < append[i].lamport ||
                (before->lamport == append[i].lamport && strcmp(before->id, append[i].messageId) < 0))
                break;
            store->records[at] = *before;
        }
        memset(&store->records[at], 0, sizeof store->records[at]);
        snprintf(store->records[at].id, sizeof store->records[at].id, "%s", append[i].messageId);
        store->records[at].lamport = append[i].lamport;
        replace(&store->records[at].message, append[i].message, append[i].messageLen);
        store->count++;
    }
}

static int save_meta(SdsCall *call, const char *channelId, const uint8_t *meta, size_t metaLen, void *userData)
{
    struct store *store = userData;

    (void)call;
    (void)channelId;
    store->saves++;
    replace(&store->meta, meta, metaLen);
    return 0;
}

static int update_history(SdsCall *call, const char *channelId, const SdsHistoryRecord *append, size_t appendCount,
                          const char *const *evict, size_t evictCount, void *userData)
{
    (void)call;
    (void)channelId;
    change(userData, append, appendCount, evict, evictCount);
    return 0;
}

static int commit(SdsCall *call, const char *channelId, const uint8_t *meta, size_t metaLen,
                  const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                  void *userData)
{
    struct store *store = userData;

    (void)call;
    (void)channelId;
    store->commits++;
    replace(&store->meta, meta, metaLen);
    change(store, append, appendCount, evict, evictCount);
    return 0;
}

static int load(SdsCall *call, const char *channelId, void *userData)
{
    struct store *store = userData;
    size_t i;

    (void)channelId;
    if (store->broken) {
        SdsFail(call, "the disk is on fire");
        return 7;
    }
    if (store->meta.length > 0)
        SdsLoadMeta(call, store->meta.data, store->meta.length);
    for (i = 0; i < store->count; i++) {
        SdsLoadMessage(call, store->records[i].message.data, store->records[i].message.length);
        if (store->records[i].hint.length > 0)
            SdsLoadHint(call, store->records[i].id, store->records[i].hint.data, store->records[i].hint.length);
    }
    return 0;
}

static void empty(struct store *store)
{
    while (store->count > 0)
        forget(store, &store->records[0]);
    free(store->meta.data);
    store->meta.data = NULL;
    store->meta.length = 0;
}

static int drop(SdsCall *call, const char *channelId, void *userData)
{
    struct store *store = userData;

    (void)call;
    (void)channelId;
    empty(store);
    return 0;
}

static int set_hint(SdsCall *call, const char *channelId, const char *messageId, const uint8_t *hint, size_t hintLen,
                    void *userData)
{
    struct store *store = userData;
    struct record *record = find(store, messageId);

    (void)call;
    (void)channelId;
    store->hints++;
    if (record != NULL)
        replace(&record->hint, hint, hintLen);
    return 0;
}

static SdsPersistence separate_procedures(void)
{
    SdsPersistence procedures;

    memset(&procedures, 0, sizeof procedures);
    procedures.size = sizeof procedures;
    procedures.saveChannelMeta = save_meta;
    procedures.updateHistory = update_history;
    procedures.loadChannel = load;
    procedures.dropChannel = drop;
    procedures.setRetrievalHint = set_hint;
    return procedures;
}

static SdsPersistence transactions(void)
{
    SdsPersistence procedures;

    memset(&procedures, 0, sizeof procedures);
    procedures.size = sizeof procedures;
    procedures.loadChannel = load;
    procedures.dropChannel = drop;
    procedures.commit = commit;
    return procedures;
}

static void tell_store(const char *who, const struct store *store)
{
    size_t i;

    printf("%s's store: meta %s, hints set: %s, log", who, store->meta.length > 0 ? "kept" : "none",
           store->hints > 0 ? "some" : "none");
    for (i = 0; i < store->count; i++)
        printf(" %s", store->records[i].id);
    printf("\n");
}

/* ---- contexts ------------------------------------------------------------------------ */

static const char config[] = "{\"bloomFilterCapacity\":1000,\"repairTMinMs\":0,\"repairTMaxMs\":1,"
                             "\"maxResendAttempts\":1,\"syncMessageIntervalMs\":7000,\"repairSweepIntervalMs\":5000,"
                             "\"resendIntervalMs\":20000,\"bufferSweepIntervalMs\":60000,"
                             "\"missingDependencyTimeoutMs\":600000,\"maxContentBytes\":100,\"maxChannels\":2}";

static void *open_participant(const char *name, const SdsPersistence *procedures, struct store *store,
                              struct listener *listener)
{
    SdsOptions options;
    void *ctx = NULL;

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.participantId = name;
    options.configJson = config;
    options.persistence = procedures;
    options.persistenceUserData = store;
    options.eventHandler = hear;
    options.eventUserData = listener;
    options.hintProvider = give_hint;
    options.hintUserData = (void *)(uintptr_t) "at:";
    if (told(name, "opens", SdsOpen(&options, &ctx, &error)) != SDS_OK)
        fail("there is no context");
    return ctx;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_ms(int ms)
{
    struct timespec duration = {0, ms * 1000000L};

    nanosleep(&duration, NULL);
}

static void tick(const char *who, void *ctx, int64_t now)
{
    int64_t next = 0;

    if (SdsTick(ctx, now, &next, &error) != SDS_OK || next <= now)
        told(who, "ticks in vain", SDS_ERR);
    error = unset;
}

/* ---- what is told ---------------------------------------------------------------------- */

static void versions(void)
{
    static const int statuses[] = {SDS_OK, SDS_ERR, SDS_ERR_MISSING_CALLBACK, SDS_ERR_INVALID_ARGUMENT,
                                   SDS_ERR_OUT_OF_MEMORY, SDS_ERR_INTERNAL, SDS_ERR_SERIALIZATION,
                                   SDS_ERR_DESERIALIZATION, SDS_ERR_MESSAGE_TOO_LARGE, SDS_ERR_PERSISTENCE,
                                   SDS_ERR_LIMIT_EXCEEDED, SDS_ERR_INVALID_CONTEXT, SDS_ERR_FORKED, 12345};
    int major, minor, patch, described = 1;
    size_t i;

    printf("# versions\n");
    printf("compiled against %s, ABI %d\n", SDS_VERSION, SDS_ABI_VERSION);
    printf("the library has that ABI: %s\n", yes(SdsAbiVersion() == SDS_ABI_VERSION));
    printf("its version is three numbers: %s\n", yes(sscanf(SdsVersion(), "%d.%d.%d", &major, &minor, &patch) == 3));
    for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        described = described && SdsStatusString(statuses[i]) != NULL && SdsStatusString(statuses[i])[0] != '\0';
    printf("every status has a description: %s\n", yes(described));
    SdsFree(NULL);
}

/* A JSON object with these keys, if any; it may have more. */
static void tell_json(const char *what, int status, char *json, const char *key)
{
    size_t length = json == NULL ? 0 : strlen(json);

    told("alice", what, status);
    printf("  a JSON object: %s\n", yes(length >= 2 && json[0] == '{' && json[length - 1] == '}'));
    if (key != NULL)
        printf("  with %s: %s\n", key, yes(length > 0 && strstr(json, key) != NULL));
    SdsFree(json);
}

static void insight(void *alice)
{
    char *json = NULL;
    int status;

    status = SdsChannels(alice, &json, &error);
    tell_json("lists channels", status, json, NULL);
    status = SdsInspect(alice, "garden", &json, &error);
    tell_json("looks into a channel", status, json, NULL);
    status = SdsStats(alice, &json, &error);
    tell_json("counts", status, json, "\"metrics\"");
}

static void conversation(void)
{
    static const char *const found[] = {"a2"};
    struct listener at_alice = {"alice", {NULL, 0}}, at_bob = {"bob", {NULL, 0}};
    struct store alices, bobs;
    SdsPersistence kept_separately = separate_procedures(), kept_at_once = transactions();
    void *alice, *bob;
    struct payload first, lost, later, typing, sync;
    uint64_t at_first, later_on, at_last;

    printf("\n# a conversation\n");
    memset(&alices, 0, sizeof alices);
    memset(&bobs, 0, sizeof bobs);
    alice = open_participant("alice", &kept_separately, &alices, &at_alice);
    bob = open_participant("bob", &kept_at_once, &bobs, &at_bob);
    told("bob", "makes the channel", SdsEnsureChannel(bob, "garden", &error));

    first = wrap("alice", alice, "garden", "a1", "good morning");
    at_first = unwrap("bob", bob, first);
    sync = wrap_sync("bob", bob, "garden");
    unwrap_sync("alice", alice, sync);
    SdsFree(sync.data);
    typing = wrap_ephemeral("alice", alice, "garden", "t1", "is typing");
    unwrap("bob", bob, typing);

    lost = wrap("alice", alice, "garden", "a2", "this one is lost");
    later = wrap("alice", alice, "garden", "a3", "are you there?");
    later_on = unwrap("bob", bob, later);
    printf("time goes on: %s\n", yes(later_on > at_first));
    told("bob", "marks a2 as met", SdsMarkMet(bob, "garden", found, 1, &error));
    told("bob", "marks nothing", SdsMarkMet(bob, "garden", NULL, 0, &error));
    unwrap("bob", bob, later);

    tell_store("alice", &alices);
    tell_store("bob", &bobs);
    printf("alice's was saved in two steps: %s\n", yes(alices.saves > 0 && alices.commits == 0));
    printf("bob's was saved in one: %s\n", yes(bobs.saves == 0 && bobs.commits > 0));
    insight(alice);

    printf("\n# a restart\n");
    told("bob", "closes", SdsClose(bob));
    told("bob", "closes again", SdsClose(bob));
    bob = open_participant("bob", &kept_at_once, &bobs, &at_bob);
    unwrap("bob", bob, first);
    unwrap("bob", bob, lost);
    told("alice", "closes", SdsClose(alice));
    alice = open_participant("alice", &kept_separately, &alices, &at_alice);
    at_last = deliver("bob", bob, wrap("alice", alice, "garden", "a4", "back"));
    printf("time goes on: %s\n", yes(at_last > later_on));
    deliver("alice", alice, wrap("bob", bob, "garden", "b1", "welcome back"));
    told("bob", "drops the channel", SdsDropChannel(bob, "garden", &error));
    tell_store("bob", &bobs);
    told("alice", "resets", SdsReset(alice, &error));
    tell_store("alice", &alices);
    bobs.broken = 1;
    unwrap("bob", bob, first);
    bobs.broken = 0;
    unwrap("bob", bob, first);
    SdsFree(first.data);
    SdsFree(lost.data);
    SdsFree(later.data);
    SdsFree(typing.data);
    told("alice", "closes", SdsClose(alice));
    told("bob", "closes", SdsClose(bob));
    empty(&alices);
    empty(&bobs);
}

/* The host's own loop: everything that only time brings. */
static void loop(void)
{
    struct listener at_alice = {"alice", {NULL, 0}}, at_bob = {"bob", {NULL, 0}};
    void *alice, *bob;
    int64_t now = now_ms();

    printf("\n# a loop\n");
    alice = open_participant("alice", NULL, NULL, &at_alice);
    bob = open_participant("bob", NULL, NULL, &at_bob);
    tick("alice", alice, now);
    SdsFree(wrap("alice", alice, "garden", "m1", "lost").data);
    tick("alice", alice, now + 7000);

    printf("bob asks alice for what he lacks\n");
    deliver("bob", bob, wrap("alice", alice, "garden", "m2", "two"));
    wait_ms(2);
    deliver("alice", alice, wrap("bob", bob, "garden", "b1", "what was that?"));
    tick("alice", alice, now + 12000);
    unwrap("bob", bob, at_alice.broadcast);
    deliver("alice", alice, wrap("bob", bob, "garden", "b2", "thanks"));

    printf("nobody acknowledges m3\n");
    SdsFree(wrap("alice", alice, "garden", "m3", "three").data);
    tick("alice", alice, now + 60000);
    unwrap("bob", bob, at_alice.broadcast);
    tick("alice", alice, now + 120000);

    printf("bob waits for m4 in vain\n");
    SdsFree(wrap("alice", alice, "garden", "m4", "lost").data);
    deliver("bob", bob, wrap("alice", alice, "garden", "m5", "five"));
    tick("bob", bob, now);
    tick("bob", bob, now + 1200000);
    told("alice", "starts the library's timer", SdsStart(alice, &error));

    told("alice", "closes", SdsClose(alice));
    told("bob", "closes", SdsClose(bob));
    free(at_alice.broadcast.data);
    free(at_bob.broadcast.data);
}

static void timer(void)
{
    struct listener listener = {"carol", {NULL, 0}};
    void *carol;
    int64_t next = 17;

    printf("\n# the library's timer\n");
    carol = open_participant("carol", NULL, NULL, &listener);
    told("carol", "starts it", SdsStart(carol, &error));
    told("carol", "starts it again", SdsStart(carol, &error));
    told("carol", "ticks", SdsTick(carol, now_ms(), &next, &error));
    printf("  next is 0: %s\n", yes(next == 0));
    told("carol", "closes", SdsClose(carol));
}

/* What a child of fork() is told, as an exit status. */
static int status_in_a_child(void *ctx)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child < 0)
        fail("there is no child");
    if (child == 0)
        _exit(SdsReset(ctx, NULL));
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        fail("the child crashed");
    return WEXITSTATUS(status);
}

static void errors(void)
{
    struct listener listener = {"dave", {NULL, 0}};
    SdsPersistence procedures = transactions();
    struct payload none = {NULL, 0}, noise = {(uint8_t *)(uintptr_t) "hello", 5};
    SdsOptions options;
    void *dave, *ctx = &listener;
    char *json = NULL;
    char long_content[102];
    int status;

    printf("\n# errors\n");
    dave = open_participant("dave", NULL, NULL, &listener);
    memset(long_content, 'x', sizeof long_content - 1);
    long_content[sizeof long_content - 1] = '\0';
    wrap("dave", dave, "", "m1", "no channel");
    wrap("dave", dave, NULL, "m1", "no channel");
    wrap("dave", dave, "garden", NULL, "no id");
    wrap("dave", dave, "garden", "m1", "");
    wrap("dave", dave, "garden", "m1", long_content);
    wrap_ephemeral("dave", dave, "garden", "m1", long_content);
    unwrap("dave", dave, noise);
    unwrap("dave", dave, none);
    told("dave", "marks in an unknown channel", SdsMarkMet(dave, "moon", NULL, 0, &error));
    status = SdsInspect(dave, "moon", &json, &error);
    told("dave", "looks into an unknown channel", status);
    SdsFree(json);
    told("dave", "makes one channel", SdsEnsureChannel(dave, "garden", &error));
    told("dave", "makes another", SdsEnsureChannel(dave, "house", &error));
    told("dave", "makes one too many", SdsEnsureChannel(dave, "moon", &error));
    told("dave", "drops one that never was", SdsDropChannel(dave, "moon", &error));
    told("dave", "sets persistence after the first channel", SdsSetPersistence(dave, &procedures, NULL, &error));
    told("dave", "unwraps without an output", SdsUnwrap(dave, noise.data, noise.length, NULL, &error));
    told("dave", "asks for no error text", SdsReset(dave, NULL));
    told("dave", "resets in a child", status_in_a_child(dave));
    told("dave", "closes", SdsClose(dave));
    told("dave", "resets what is closed", SdsReset(dave, &error));
    told("nobody", "resets", SdsReset(NULL, &error));
    told("nobody", "sets a handler", SdsSetEventHandler(NULL, hear, &listener));

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.configJson = "{\"maxMessageHistory\":0}";
    status = SdsOpen(&options, &ctx, &error);
    told("dave", "opens with a bad configuration", status);
    options.configJson = "{\"storePath\":\"/there/is/no/such/folder/store\"}";
    status = SdsOpen(&options, &ctx, &error);
    told("dave", "opens a store that cannot be", status);
    printf("  the output is NULL: %s\n", yes(ctx == NULL));
    options.size = 0;
    told("dave", "opens without a size", SdsOpen(&options, &ctx, &error));
    told("dave", "opens with defaults", SdsOpen(NULL, &ctx, &error));
    told("dave", "closes", SdsClose(ctx));
}

/* ---- the log ----------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    int lines, malformed;
} heard = {PTHREAD_MUTEX_INITIALIZER, 0, 0};

static void hear_line(int level, const char *line, size_t len, void *userData)
{
    pthread_mutex_lock(&heard.lock);
    heard.lines++;
    if (level < -4 || len == 0 || strlen(line) != len || strchr(line, '\n') != NULL || userData != &heard)
        heard.malformed++;
    pthread_mutex_unlock(&heard.lock);
}

static int cannot_save(SdsCall *call, const char *channelId, const uint8_t *meta, size_t metaLen,
                       const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                       void *userData)
{
    (void)channelId, (void)meta, (void)metaLen, (void)append, (void)appendCount, (void)evict, (void)evictCount;
    (void)userData;
    SdsFail(call, "the disk is full");
    return 1;
}

static void log_lines(void)
{
    struct listener listener = {"erin", {NULL, 0}};
    struct store store;
    SdsPersistence procedures = transactions();
    void *erin;

    printf("\n# the log\n");
    memset(&store, 0, sizeof store);
    procedures.commit = cannot_save;
    erin = open_participant("erin", &procedures, &store, &listener);
    told("erin", "listens to the log", SdsSetLogHandler(hear_line, -4, &heard));
    SdsFree(wrap("erin", erin, "garden", "e1", "is not saved").data);
    told("erin", "listens no more", SdsSetLogHandler(NULL, 0, NULL));
    printf("lines: %s, malformed: %d\n", heard.lines > 0 ? "some" : "none", heard.malformed);
    told("erin", "closes", SdsClose(erin));
}

/* ---- the functions with callbacks ------------------------------------------------------------ */

/* What a callback was given; where there was none, it was not called. */
struct answer {
    int calls, code;
    size_t length;
    char *text;
};

static void take(int callerRet, const char *msg, size_t len, void *userData)
{
    struct answer *answer = userData;

    answer->calls++;
    answer->code = callerRet;
    answer->length = len;
    free(answer->text);
    answer->text = kept(calloc(len + 1, 1));
    if (msg != NULL)
        memcpy(answer->text, msg, len);
}

/* Errors are told up to where details follow, which may change. */
static void tell_answer(const char *what, int returned, const struct answer *answer)
{
    const char *request = "error processing ";

    printf("%s: returned %d, called %d time%s", what, returned, answer->calls, answer->calls == 1 ? "" : "s");
    if (answer->calls > 0)
        printf(" with %d", answer->code);
    if (answer->calls > 0 && answer->code != RET_OK) {
        if (strncmp(answer->text, request, strlen(request)) == 0) {
            const char *error_name = strstr(answer->text, "request: ");
            size_t length = error_name == NULL ? 0 : strlen("request: ") + strcspn(error_name + 9, ":");

            printf(" %.*s", (int)(error_name == NULL ? 0 : error_name - answer->text + (long)length), answer->text);
        } else {
            printf(" %s", answer->text);
        }
    }
    printf("\n");
}

static void release(struct answer *answer)
{
    free(answer->text);
    memset(answer, 0, sizeof *answer);
}

/* bytes_of reads a payload from "10,3,105". */
static struct payload bytes_of(const struct answer *answer)
{
    struct payload payload = {kept(malloc(answer->length + 1)), 0};
    const char *at = answer->text;
    char *end;

    while (at != NULL && *at >= '0' && *at <= '9') {
        payload.data[payload.length++] = (uint8_t)strtol(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
    }
    return payload;
}

/* Says which of these parts the JSON, which is written without spaces, lacks. */
static void tell_keys(const struct answer *answer, const char *const *parts, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (answer->text == NULL || strstr(answer->text, parts[i]) == NULL)
            printf("  %s is missing in %s\n", parts[i], answer->text == NULL ? "nothing" : answer->text);
}

static void hear_text(int callerRet, const char *msg, size_t len, void *userData)
{
    static const char *const types[] = {"message_ready", "message_sent", "missing_dependencies"};
    static const char *const ids[] = {"o1", "o2", "o3", "p1"};
    char *text = kept(calloc(len + 1, 1)), part[64], *missing;
    size_t i, j;

    memcpy(text, msg, len);
    missing = strstr(text, "\"missingDeps\":["); /* these have ids, too */
    if (missing != NULL)
        memset(missing, ' ', strcspn(missing, "]"));
    for (i = 0; i < sizeof types / sizeof types[0]; i++) {
        snprintf(part, sizeof part, "\"eventType\":\"%s\"", types[i]);
        if (strstr(text, part) == NULL)
            continue;
        for (j = 0; j < sizeof ids / sizeof ids[0]; j++) {
            snprintf(part, sizeof part, "\"messageId\":\"%s\"", ids[j]);
            if (strstr(text, part) != NULL && strstr(text, "\"channelId\":\"old\"") != NULL)
                printf("  -> %s: %s %s, %d, an object: %s\n", (const char *)userData, types[i], ids[j], callerRet,
                       yes(text[0] == '{' && text[len - 1] == '}'));
        }
    }
    free(text);
}

static struct payload wrap_old(void *ctx, const char *channel, const char *id, const char *content)
{
    struct answer answer = {0, 0, 0, NULL};
    struct payload payload;
    char what[64], copy[128];
    int returned;

    snprintf(copy, sizeof copy, "%s", content);
    snprintf(what, sizeof what, "wrap %s", id == NULL ? "nothing" : id);
    returned = SdsWrapOutgoingMessage(ctx, copy, strlen(copy), id, channel, take, &answer);
    tell_answer(what, returned, &answer);
    payload = bytes_of(&answer);
    release(&answer);
    return payload;
}

static void unwrap_old(void *ctx, struct payload payload, const char *const *parts, size_t count)
{
    struct answer answer = {0, 0, 0, NULL};

    tell_answer("unwrap", SdsUnwrapReceivedMessage(ctx, payload.data, payload.length, take, &answer), &answer);
    tell_keys(&answer, parts, count);
    release(&answer);
}

#define UNWRAP_OLD(ctx, payload, parts) unwrap_old((ctx), (payload), (parts), sizeof(parts) / sizeof(parts)[0])

static void callbacks(void)
{
    static const char *const o1[] = {"\"message\":[111,110,101]", "\"channelId\":\"old\"", "\"missingDeps\":[]",
                                     "\"messageId\":\"o1\"", "\"senderId\":\"olga\"", "\"lamportTimestamp\":",
                                     "\"kind\":\"content\"", "\"duplicate\":false", "\"buffered\":false"};
    static const char *const o3[] = {"\"missingDeps\":[{\"messageId\":\"o2\",\"retrievalHint\":\"YXQ6bzI=\"",
                                     "\"buffered\":true"};
    char *met[] = {(char *)(uintptr_t) "o2"};
    struct answer answer = {0, 0, 0, NULL};
    struct store store;
    SdsPersistence procedures = transactions();
    struct payload one, two, three, noise = {(uint8_t *)(uintptr_t) "hello", 5};
    void *olga, *pete;

    printf("\n# the functions with callbacks\n");
    memset(&store, 0, sizeof store);
    olga = SdsNewReliabilityManagerWithConfig("olga", "{\"maxContentBytes\":100}", take, &answer);
    tell_answer("olga", olga == NULL, &answer);
    release(&answer);
    pete = SdsNewReliabilityManager(take, &answer);
    tell_answer("pete", pete == NULL, &answer);
    release(&answer);
    printf("a bad configuration makes none: %s\n",
           yes(SdsNewReliabilityManagerWithConfig(NULL, "{\"no\":1}", take, &answer) == NULL));
    printf("  and says so: %s\n",
           yes(answer.calls == 1 && answer.code == RET_ERR && strncmp(answer.text, "libsds error: ", 14) == 0));
    release(&answer);
    printf("nor does a missing callback: %s\n", yes(SdsNewReliabilityManager(NULL, NULL) == NULL));
    SdsSetRetrievalHintProvider(olga, give_hint, (void *)(uintptr_t) "at:");
    SdsSetEventCallback(olga, hear_text, (void *)(uintptr_t) "olga");
    told("pete", "sets persistence", SdsSetPersistence(pete, &procedures, &store, &error));

    one = wrap_old(olga, "old", "o1", "one");
    two = wrap_old(olga, "old", "o2", "two");
    three = wrap_old(olga, "old", "o3", "three");
    UNWRAP_OLD(pete, one, o1);
    printf("pete's callback gets what was kept for it\n");
    SdsSetEventCallback(pete, hear_text, (void *)(uintptr_t) "pete");
    UNWRAP_OLD(pete, three, o3);
    tell_answer("mark", SdsMarkDependenciesMet(pete, met, 1, "old", take, &answer), &answer);
    release(&answer);
    free(two.data);
    two = wrap_old(pete, "old", "p1", "seen");
    unwrap_old(olga, two, NULL, 0);
    tell_store("pete", &store);

    tell_answer("wrap without a context", SdsWrapOutgoingMessage(NULL, one.data, 1, "o4", "old", take, &answer),
                &answer);
    release(&answer);
    tell_answer("wrap without a message", SdsWrapOutgoingMessage(olga, NULL, 1, "o4", "old", take, &answer),
                &answer);
    release(&answer);
    tell_answer("wrap without a callback", SdsWrapOutgoingMessage(olga, one.data, 1, "o4", "old", NULL, NULL),
                &answer);
    release(&answer);
    free(wrap_old(olga, "old", NULL, "no id").data);
    free(wrap_old(olga, "", "o4", "no channel").data);
    free(wrap_old(olga, "old", "o4", "").data);
    unwrap_old(olga, noise, NULL, 0);
    tell_answer("mark in an unknown channel", SdsMarkDependenciesMet(pete, met, 1, "new", take, &answer), &answer);
    release(&answer);
    tell_answer("start", SdsStartPeriodicTasks(olga, take, &answer), &answer);
    release(&answer);
    tell_answer("remove", SdsRemoveChannel(pete, "old", take, &answer), &answer);
    release(&answer);
    tell_answer("reset", SdsResetReliabilityManager(olga, take, &answer), &answer);
    release(&answer);
    tell_store("pete", &store);

    printf("both APIs on one context, each event to the callback and then to the handler\n");
    {
        struct listener listener = {"pete's handler", {NULL, 0}};

        told("pete", "sets a handler", SdsSetEventHandler(pete, hear, &listener));
        unwrap("pete", pete, one);
        told("pete", "sets none", SdsSetEventHandler(pete, NULL, NULL));
    }
    tell_answer("clean up", SdsCleanupReliabilityManager(olga, take, &answer), &answer);
    release(&answer);
    tell_answer("clean up again", SdsCleanupReliabilityManager(olga, take, &answer), &answer);
    release(&answer);
    told("pete", "closes", SdsClose(pete));
    empty(&store);
    free(one.data);
    free(two.data);
    free(three.data);
}

int main(void)
{
    versions();
    conversation();
    loop();
    timer();
    errors();
    log_lines();
    callbacks();
    return 0;
}
