#define _GNU_SOURCE /* rwlocks that let writers come through */
#include "participant.h"

#include "failure.h"
#include "keeping.h"

#include <libsds.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Short intervals: what takes minutes in the field comes round in seconds here. A message cites all of a generation, so
 * that whoever lacks one hears of it. Nothing is given up: the soak waits for it. */
#define CONFIG                                                                                                         \
    "\"bloomFilterCapacity\":500,\"maxCausalHistory\":60,\"maxRepairRequests\":10,\"resendIntervalMs\":3000,"          \
    "\"maxResendAttempts\":1000,\"syncMessageIntervalMs\":1000,\"bufferSweepIntervalMs\":200,\"repairTMinMs\":300,"    \
    "\"repairTMaxMs\":1500,\"repairSweepIntervalMs\":50"

struct participant {
    const char *name;
    enum { KEEPS_NOTHING, KEEPS_ITSELF, KEEPS_STORE } keeps;
    const char *sync; /* storeSync */
    int has_timer;    /* else participants_tick */
    pthread_rwlock_t lock; /* held for reading while the context is used */
    void *ctx;
    char config[1024];
    struct keeping *keeping;
    unsigned events; /* callbacks of a context never overlap */
};

static struct participant participants[PARTICIPANTS] = {
    {.name = "alice", .keeps = KEEPS_STORE, .sync = "full", .has_timer = 1},
    {.name = "bob", .keeps = KEEPS_ITSELF, .has_timer = 1},
    {.name = "carol", .keeps = KEEPS_NOTHING, .has_timer = 1},
    {.name = "dave", .keeps = KEEPS_STORE, .sync = "batch"},
};

const char *participant_name(int participant) { return participants[participant].name; }

int participant_keeps(int participant) { return participants[participant].keeps != KEEPS_NOTHING; }

static int number_of(const struct participant *participant) { return (int)(participant - participants); }

static void check(const struct participant *p, const char *what, int status, char *error)
{
    if (status != SDS_OK)
        failure("%s of %s: %s: %s", what, p->name, SdsStatusString(status), error != NULL ? error : "");
    SdsFree(error);
}

/* What a host does now and then from inside an event: it has the message from elsewhere. */
static void fetch_elsewhere(struct participant *p, const SdsEvent *event)
{
    const char *id = event->deps[0].messageId;
    char *error = NULL;

    channel_excuse(event->channelId, id, number_of(p));
    check(p, "SdsMarkMet in an event", SdsMarkMet(p->ctx, event->channelId, &id, 1, &error), error);
}

/* And it says something, which leaves no trace. */
static void say_something(struct participant *p, const SdsEvent *event)
{
    uint8_t *payload = NULL;
    size_t length = 0;
    char *error = NULL;

    check(p, "SdsWrapEphemeral in an event",
          SdsWrapEphemeral(p->ctx, event->channelId, "e", "typing", 6, &payload, &length, &error), error);
    SdsFree(payload);
}

static void on_event(const SdsEvent *event, void *userData)
{
    struct participant *p = userData;

    p->events++;
    switch (event->type) {
    case SDS_EVENT_MESSAGE_READY:
        channel_heard(event->channelId, event->messageId, number_of(p), event->message, event->messageLen);
        if (p->events % 64 == 0)
            say_something(p, event);
        break;
    case SDS_EVENT_MISSING_DEPENDENCIES:
        if (p->events % 256 == 1 && event->depCount > 0)
            fetch_elsewhere(p, event);
        break;
    case SDS_EVENT_REPAIR_READY:
    case SDS_EVENT_RESEND_READY:
        channel_send_in(event->channelId, number_of(p), event->message, event->messageLen,
                        event->type == SDS_EVENT_REPAIR_READY);
        break;
    case SDS_EVENT_DELIVERY_FAILED:
    case SDS_EVENT_DEPENDENCIES_LOST:
        failure("LOST: %s gives up message %s of channel %s (event %u)", p->name, event->messageId, event->channelId,
                event->type);
        break;
    }
}

/* The other receiver of the same events. */
static void on_json(int code, const char *json, size_t length, void *userData)
{
    (void)userData;
    if (code != RET_OK || length < 2 || json[0] != '{' || json[length - 1] != '}' || json[length] != '\0')
        failure("an event as JSON is \"%.*s\"", (int)(length < 200 ? length : 200), json);
}

static void on_result(int code, const char *text, size_t length, void *userData)
{
    (void)length;
    if (code != RET_OK)
        failure("a result is \"%.200s\"", text);
    *(int *)userData += 1;
}

/* Every message but each third has a hint. */
static void give_hint(const char *messageId, char **hint, size_t *hintLen, void *userData)
{
    size_t length = strlen(messageId);

    (void)userData;
    if (messageId[length - 1] % 3 == 0)
        return;
    *hint = malloc(length);
    if (*hint != NULL) {
        memcpy(*hint, messageId, length);
        *hintLen = length;
    }
}

/* open_context is called with the lock held for writing, or before there are threads. */
static void open_context(struct participant *p)
{
    SdsOptions options = {0};
    char *error = NULL;
    int results = 0;

    options.size = sizeof options;
    options.participantId = p->name;
    options.configJson = p->config;
    options.persistence = p->keeps == KEEPS_ITSELF ? &keeping_procedures : NULL;
    options.persistenceUserData = p->keeping;
    options.eventHandler = on_event;
    options.eventUserData = p;
    options.hintProvider = p->keeps == KEEPS_ITSELF ? give_hint : NULL;
    check(p, "SdsOpen", SdsOpen(&options, &p->ctx, &error), error);
    if (p->keeps == KEEPS_ITSELF)
        SdsSetEventCallback(p->ctx, on_json, NULL);
    if (!p->has_timer)
        return;
    if (SdsStartPeriodicTasks(p->ctx, on_result, &results) != RET_OK || results != 1)
        failure("SdsStartPeriodicTasks of %s", p->name);
}

static void close_context(struct participant *p)
{
    int results = 0;

    if (p->keeps == KEEPS_ITSELF) {
        if (SdsCleanupReliabilityManager(p->ctx, on_result, &results) != RET_OK || results != 1)
            failure("SdsCleanupReliabilityManager of %s", p->name);
    } else {
        check(p, "SdsClose", SdsClose(p->ctx), NULL);
    }
    p->ctx = NULL;
}

int participants_begin(const char *folder)
{
    pthread_rwlockattr_t attributes;
    int i;

    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    for (i = 0; i < PARTICIPANTS; i++) {
        struct participant *p = &participants[i];

        pthread_rwlock_init(&p->lock, &attributes);
        if (p->keeps == KEEPS_STORE)
            snprintf(p->config, sizeof p->config, "{\"storePath\":\"%s/%s.sds\",\"storeSync\":\"%s\"," CONFIG "}", folder,
                     p->name, p->sync);
        else
            snprintf(p->config, sizeof p->config, "{" CONFIG "}");
        if (p->keeps == KEEPS_ITSELF)
            p->keeping = keeping_new();
        open_context(p);
        if (p->ctx == NULL)
            return 0;
    }
    return 1;
}

void participants_end(void)
{
    int i;

    for (i = 0; i < PARTICIPANTS; i++) {
        close_context(&participants[i]);
        if (participants[i].keeping != NULL)
            keeping_free(participants[i].keeping);
        participants[i].keeping = NULL;
        pthread_rwlock_destroy(&participants[i].lock);
    }
}

void *participant_enter(int participant)
{
    pthread_rwlock_rdlock(&participants[participant].lock);
    return participants[participant].ctx;
}

void participant_leave(int participant) { pthread_rwlock_unlock(&participants[participant].lock); }

void participant_restart(int participant)
{
    struct participant *p = &participants[participant];

    pthread_rwlock_wrlock(&p->lock);
    close_context(p);
    if (p->keeps == KEEPS_NOTHING)
        channels_forget(participant);
    open_context(p);
    pthread_rwlock_unlock(&p->lock);
}

void participant_reset(int participant)
{
    struct participant *p = &participants[participant];
    char *error = NULL;

    pthread_rwlock_wrlock(&p->lock);
    check(p, "SdsReset", SdsReset(p->ctx, &error), error);
    channels_forget(participant);
    pthread_rwlock_unlock(&p->lock);
}

void participants_tick(void)
{
    struct timespec now;
    int i;

    clock_gettime(CLOCK_REALTIME, &now);
    for (i = 0; i < PARTICIPANTS; i++) {
        struct participant *p = &participants[i];
        int64_t next = 0;
        char *error = NULL;

        if (p->has_timer)
            continue;
        participant_enter(i);
        check(p, "SdsTick", SdsTick(p->ctx, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, &next, &error), error);
        participant_leave(i);
    }
}
