#include "traffic.h"

#include "chance.h"
#include "channel.h"
#include "content.h"
#include "failure.h"
#include "participant.h"

#include <libsds.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* No more than so many packets are on their way in a channel when a further message is wrapped. */
enum { ENOUGH_WAITING = 12 };

/* A generation that is not complete after so long has lost a message. Restarts and resets go on meanwhile. */
static const double longest_wait = 120;

/* How a channel is driven. */
struct drive {
    unsigned channel;
    int ending; /* no more messages: each participant is to be told of all of them */
    int over;
    double ending_since, last_sync, last_met;
};

struct traffic {
    pthread_t thread;
    uint64_t chance;
    struct drive drives[CHANNELS / THREADS];
    uint8_t *content; /* LARGEST_CONTENT */
    atomic_llong operations;
};

static struct traffic traffics[THREADS];
static atomic_int stopping, running;

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void expect_status(struct traffic *t, int status, int expected, const char *what, char *error)
{
    atomic_fetch_add(&t->operations, 1);
    if (status != expected)
        failure("%s: %s: %s", what, SdsStatusString(status), error != NULL ? error : "");
    SdsFree(error);
}

/* A result of the API with callbacks: decimal numbers with commas, which become bytes. */
struct decimal {
    uint8_t *bytes; /* from malloc */
    size_t length;
    int calls;
};

static void take_decimal(int code, const char *text, size_t length, void *userData)
{
    struct decimal *result = userData;
    const char *at = text, *end = text + length;

    result->calls++;
    if (code != RET_OK) {
        failure("SdsWrapOutgoingMessage: %.200s", text);
        return;
    }
    result->bytes = malloc(length / 2 + 1);
    if (result->bytes == NULL)
        abort();
    while (at < end) {
        char *after;

        result->bytes[result->length++] = (uint8_t)strtoul(at, &after, 10);
        at = after + 1;
    }
}

static void wrap_with_callback(struct traffic *t, void *ctx, unsigned channel, int from, const char *id, size_t size)
{
    struct decimal result = {0};

    atomic_fetch_add(&t->operations, 1);
    if (SdsWrapOutgoingMessage(ctx, t->content, size, id, channel_id(channel), take_decimal, &result) != RET_OK ||
        result.calls != 1)
        failure("SdsWrapOutgoingMessage did not answer once");
    if (result.bytes != NULL)
        channel_send(channel, from, result.bytes, result.length);
    free(result.bytes);
}

static void wrap(struct traffic *t, unsigned channel, int from)
{
    size_t size = content_size(&t->chance);
    uint64_t seed = chance_next(&t->chance);
    void *ctx = participant_enter(from);
    int number = channel_add(channel, from, size, seed);
    uint8_t *payload = NULL;
    size_t length = 0;
    char id[16], *error = NULL;

    if (number >= 0) {
        channel_message_id(number, id);
        content_make(t->content, size, seed);
        if (size < 16 << 10 && chance_below(&t->chance, 3) == 0) {
            wrap_with_callback(t, ctx, channel, from, id, size);
        } else {
            expect_status(t, SdsWrap(ctx, channel_id(channel), id, t->content, size, &payload, &length, &error), SDS_OK,
                          "SdsWrap", error);
            if (payload != NULL)
                channel_send(channel, from, payload, length);
            SdsFree(payload);
        }
    }
    participant_leave(from);
}

static void wrap_sync(struct traffic *t, unsigned channel, int from)
{
    void *ctx = participant_enter(from);
    uint8_t *payload = NULL;
    size_t length = 0;
    char *error = NULL;

    expect_status(t, SdsWrapSync(ctx, channel_id(channel), &payload, &length, &error), SDS_OK, "SdsWrapSync", error);
    if (payload != NULL)
        channel_send(channel, from, payload, length);
    SdsFree(payload);
    participant_leave(from);
}

static void wrap_ephemeral(struct traffic *t, unsigned channel, int from)
{
    void *ctx = participant_enter(from);
    uint8_t *payload = NULL;
    size_t length = 0;
    char *error = NULL;

    expect_status(t, SdsWrapEphemeral(ctx, channel_id(channel), "e", "typing", 6, &payload, &length, &error), SDS_OK,
                  "SdsWrapEphemeral", error);
    if (payload != NULL)
        channel_send(channel, from, payload, length);
    SdsFree(payload);
    participant_leave(from);
}

static void count_result(int code, const char *text, size_t length, void *userData)
{
    (void)length;
    if (code != RET_OK)
        failure("a result is \"%.200s\"", text);
    *(int *)userData += 1;
}

static void unwrap(struct traffic *t, const struct packet *packet)
{
    void *ctx = participant_enter(packet->to);
    SdsUnwrapped *result = NULL;
    char *error = NULL;
    int results = 0;

    if (packet->length < 16 << 10 && chance_below(&t->chance, 4) == 0) {
        atomic_fetch_add(&t->operations, 1);
        if (SdsUnwrapReceivedMessage(ctx, packet->data, packet->length, count_result, &results) != RET_OK || results != 1)
            failure("SdsUnwrapReceivedMessage did not answer once");
    } else {
        expect_status(t, SdsUnwrap(ctx, packet->data, packet->length, &result, &error), SDS_OK, "SdsUnwrap", error);
        SdsFree(result);
    }
    participant_leave(packet->to);
}

/* deliver hands over some of what is on its way. */
static void deliver(struct traffic *t, unsigned channel, int most)
{
    struct packet packet;

    while (most-- > 0 && channel_take(channel, &packet)) {
        unwrap(t, &packet);
        free(packet.data);
    }
}

/* What is no message of SDS changes nothing. */
static void unwrap_noise(struct traffic *t, int to)
{
    uint8_t noise[64];
    SdsUnwrapped *result = NULL;
    char *error = NULL;
    void *ctx;

    content_make(noise, sizeof noise, chance_next(&t->chance));
    noise[0] = 0xff;
    ctx = participant_enter(to);
    expect_status(t, SdsUnwrap(ctx, noise, 1 + chance_below(&t->chance, sizeof noise), &result, &error),
                  SDS_ERR_DESERIALIZATION, "SdsUnwrap of noise", error);
    SdsFree(result);
    participant_leave(to);
}

static void look(struct traffic *t, unsigned channel, int at)
{
    void *ctx = participant_enter(at);
    char *json = NULL, *error = NULL;

    switch (chance_below(&t->chance, 3)) {
    case 0:
        expect_status(t, SdsEnsureChannel(ctx, channel_id(channel), &error), SDS_OK, "SdsEnsureChannel", error);
        error = NULL;
        expect_status(t, SdsInspect(ctx, channel_id(channel), &json, &error), SDS_OK, "SdsInspect", error);
        break;
    case 1:
        expect_status(t, SdsChannels(ctx, &json, &error), SDS_OK, "SdsChannels", error);
        break;
    default:
        expect_status(t, SdsStats(ctx, &json, &error), SDS_OK, "SdsStats", error);
    }
    SdsFree(json);
    participant_leave(at);
}

/* What a participant that lost its memory was alone to have is nowhere any more: a host that knows of that says so. */
static void mark_met(struct traffic *t, unsigned channel)
{
    int p, number;

    for (p = 0; p < PARTICIPANTS; p++)
        for (number = -1; (number = channel_lacks(channel, p, number + 1, 1)) >= 0;) {
            void *ctx = participant_enter(p);
            char id[16], *error = NULL;
            const char *ids[] = {id};

            channel_message_id(number, id);
            expect_status(t, SdsEnsureChannel(ctx, channel_id(channel), &error), SDS_OK, "SdsEnsureChannel", error);
            error = NULL;
            expect_status(t, SdsMarkMet(ctx, channel_id(channel), ids, 1, &error), SDS_OK, "SdsMarkMet", error);
            participant_leave(p);
        }
}

/* say_lost reports what did not come, with what the participant says of it. */
static void say_lost(unsigned channel, int p)
{
    int number = channel_lacks(channel, p, 0, 0);
    void *ctx = participant_enter(p);
    char *json = NULL, *error = NULL;

    SdsInspect(ctx, channel_id(channel), &json, &error);
    failure("LOST: message m%d of channel %s did not come to %s: %.700s", number, channel_id(channel),
            participant_name(p), json != NULL ? json : error);
    SdsFree(json);
    SdsFree(error);
    participant_leave(p);
}

static void drop(struct traffic *t, unsigned channel)
{
    int p, results = 0;

    for (p = 0; p < PARTICIPANTS; p++) {
        void *ctx = participant_enter(p);
        char *error = NULL;

        if (chance_below(&t->chance, 2) == 0) {
            expect_status(t, SdsDropChannel(ctx, channel_id(channel), &error), SDS_OK, "SdsDropChannel", error);
        } else {
            atomic_fetch_add(&t->operations, 1);
            SdsRemoveChannel(ctx, channel_id(channel), count_result, &results);
        }
        participant_leave(p);
    }
}

/* end_generation brings what is missing, with a network that loses nothing any more. */
static void end_generation(struct traffic *t, struct drive *drive)
{
    double now = seconds();
    int p, lacking = -1;

    deliver(t, drive->channel, 64);
    for (p = 0; p < PARTICIPANTS && lacking < 0; p++)
        if (channel_lacks(drive->channel, p, 0, 0) >= 0)
            lacking = p;
    if (lacking >= 0 && now - drive->ending_since < longest_wait) {
        if (now - drive->last_sync > 0.1) {
            drive->last_sync = now;
            for (p = 0; p < PARTICIPANTS; p++)
                wrap_sync(t, drive->channel, p);
        }
        if (now - drive->last_met > 1) {
            drive->last_met = now;
            mark_met(t, drive->channel);
        }
        return;
    }
    if (lacking >= 0)
        say_lost(drive->channel, lacking);
    drop(t, drive->channel);
    if (atomic_load(&stopping)) {
        drive->over = 1;
        return;
    }
    channel_renew(drive->channel);
    drive->ending = 0;
}

static void step(struct traffic *t, struct drive *drive)
{
    unsigned kind = chance_below(&t->chance, 1000);
    int who = (int)chance_below(&t->chance, PARTICIPANTS);

    if (drive->ending) {
        end_generation(t, drive);
    } else if (atomic_load(&stopping) || channel_is_full(drive->channel)) {
        drive->ending = 1;
        drive->ending_since = drive->last_met = seconds();
        channel_lose(drive->channel, 0);
    } else if (kind < 10) {
        wrap_sync(t, drive->channel, who);
    } else if (kind < 20) {
        wrap_ephemeral(t, drive->channel, who);
    } else if (kind < 25) {
        look(t, drive->channel, who);
    } else if (kind < 30) {
        unwrap_noise(t, who);
    } else if (kind < 300 && channel_waiting(drive->channel) < ENOUGH_WAITING) {
        wrap(t, drive->channel, who);
    } else {
        deliver(t, drive->channel, 1 + (int)chance_below(&t->chance, 4));
    }
}

static void *drive_channels(void *argument)
{
    static const struct timespec pause = {0, 4000000};
    struct traffic *t = argument;
    int left = CHANNELS / THREADS;

    while (left > 0) {
        struct drive *drive = &t->drives[chance_below(&t->chance, CHANNELS / THREADS)];

        if (drive->over)
            continue;
        step(t, drive);
        left -= drive->over;
        nanosleep(&pause, NULL);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

void traffic_begin(uint64_t seed)
{
    unsigned i, j;

    atomic_store(&running, THREADS);
    for (i = 0; i < THREADS; i++) {
        struct traffic *t = &traffics[i];

        t->chance = chance_seed(seed + 1000 + i);
        t->content = malloc(LARGEST_CONTENT);
        if (t->content == NULL)
            abort();
        for (j = 0; j < CHANNELS / THREADS; j++)
            t->drives[j].channel = i * (CHANNELS / THREADS) + j;
        if (pthread_create(&t->thread, NULL, drive_channels, t) != 0)
            abort();
    }
}

void traffic_stop(void) { atomic_store(&stopping, 1); }

int traffic_is_over(void) { return atomic_load(&running) == 0; }

void traffic_end(void)
{
    int i;

    for (i = 0; i < THREADS; i++) {
        pthread_join(traffics[i].thread, NULL);
        free(traffics[i].content);
    }
}

long long traffic_operations(void)
{
    long long sum = 0;
    int i;

    for (i = 0; i < THREADS; i++)
        sum += atomic_load(&traffics[i].operations);
    return sum;
}
