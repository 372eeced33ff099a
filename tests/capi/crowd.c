/*
 * Ten thousand contexts at once, all with timers: they take little memory each and
 * no thread or descriptor of their own, each works, and all end.
 */
#include "footprint.h"
#include "native.h"

enum { CROWD = 10000 };

struct member {
    void *ctx;
    atomic_int syncs, ready;
};

static struct member members[CROWD];

static void count_event(const SdsEvent *event, void *userData)
{
    struct member *member = userData;

    if (event->type == SDS_EVENT_PERIODIC_SYNC)
        atomic_fetch_add(&member->syncs, 1);
    if (event->type == SDS_EVENT_MESSAGE_READY)
        atomic_fetch_add(&member->ready, 1);
}

static void open_member(struct member *member, int number)
{
    SdsOptions options = {0};
    char name[32], *error = NULL;

    snprintf(name, sizeof name, "p%d", number);
    options.size = sizeof options;
    options.participantId = name;
    options.configJson = "{\"bloomFilterCapacity\":100,\"syncMessageIntervalMs\":2000}";
    options.eventHandler = count_event;
    options.eventUserData = member;
    EXPECT_STATUS(SdsOpen(&options, &member->ctx, &error), SDS_OK);
    EXPECT_STATUS(SdsStart(member->ctx, &error), SDS_OK);
}

/* How many of the first count have had this many events. */
static int have(int count, int syncs, int ready)
{
    int found = 0, i;

    for (i = 0; i < count; i++)
        found += atomic_load(&members[i].syncs) >= syncs && atomic_load(&members[i].ready) == ready;
    return found;
}

/* Each member hears from the next one, the last from the first, in a channel of the two. */
static void talk_in_a_circle(int count, const char *id)
{
    int i;

    for (i = 0; i < count; i++) {
        uint8_t *message = NULL;
        size_t length = 0;
        SdsUnwrapped *result = NULL;
        char channel[32], *error = NULL;

        snprintf(channel, sizeof channel, "c%d", i);
        EXPECT_STATUS(SdsWrap(members[(i + 1) % count].ctx, channel, id, "hello", 5, &message, &length, &error), SDS_OK);
        EXPECT_STATUS(SdsUnwrap(members[i].ctx, message, length, &result, &error), SDS_OK);
        SdsFree(result);
        SdsFree(message);
    }
}

/* gather opens a crowd, has all of it work, and closes it. It returns what the process had at most. */
static struct footprint gather(int count, const struct footprint *before)
{
    struct footprint idle, busy;
    double begin = seconds_now(), opened;
    int i;

    memset(members, 0, sizeof members);
    for (i = 0; i < count; i++)
        open_member(&members[i], i);
    opened = seconds_now();
    idle = measure();
    talk_in_a_circle(count, "m1");
    EXPECT_NUMBER(have(count, 0, 1), count);
    for (i = 0; i < 6000 && have(count, 1, 1) < count; i++) /* every timer runs */
        sleep_ms(10);
    EXPECT_NUMBER(have(count, 1, 1), count);
    talk_in_a_circle(count, "m2");
    EXPECT_NUMBER(have(count, 1, 2), count);
    busy = measure();
    for (i = 0; i < count; i++)
        close_native(members[i].ctx);
    printf("    %d contexts opened in %.2f s, used and closed in %.2f s: resident %.1f KiB for each when opened, %.1f KiB "
           "with two channels; %ld threads\n",
           count, opened - begin, seconds_now() - opened, (double)(idle.resident_kib - before->resident_kib) / count,
           (double)(busy.resident_kib - before->resident_kib) / count, busy.threads);
    return busy;
}

static void ten_thousand_contexts_at_once_work_and_end(void)
{
    /* Bounds that only something broken comes near: a context with two channels takes some 20 KiB. */
    const long most_kib_each = 64, most_threads = 16 + 8 * sysconf(_SC_NPROCESSORS_ONLN);
    int count = scaled(CROWD), i;
    struct footprint before, first, second, third, after;

    open_member(&members[0], 0);
    close_native(members[0].ctx);
    before = measure();
    first = gather(count, &before);
    second = gather(count, &before);
    third = gather(count, &before);
    after = measure();
    EXPECT((first.resident_kib - before.resident_kib) / count <= most_kib_each || count < CROWD);
    /* In the place of the first crowd, give or take when Go collects: else it would be three times as much. */
    EXPECT((third.resident_kib - before.resident_kib) <= (first.resident_kib - before.resident_kib) * 2 || count < CROWD);
    EXPECT(first.threads <= most_threads && second.threads <= most_threads && third.threads <= most_threads);
    EXPECT_NUMBER(first.descriptors, before.descriptors);
    EXPECT_NUMBER(second.descriptors, before.descriptors);
    EXPECT_NUMBER(after.descriptors, before.descriptors);
    /* And nothing comes any more. */
    for (i = 0; i < count; i++)
        atomic_store(&members[i].syncs, 0);
    sleep_ms(2500);
    EXPECT_NUMBER(have(count, 1, 2), 0);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(ten_thousand_contexts_at_once_work_and_end);
    return expect_end();
}
