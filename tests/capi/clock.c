/*
 * The time that a host passes to SdsTick: across the years in which numbers of
 * seconds end, to the last moment that there is, an hour back, and to and fro. (The
 * clock of the system, which all other functions go by, cannot be set by a test;
 * core/calendar_test.go turns the one that the core sees.)
 */
#include "native.h"

static const int64_t year_2038 = INT64_C(2147483648000), year_2106 = INT64_C(4294967296000),
                     end_of_9999 = INT64_C(253402300799999), hour = 3600000;

enum { SWEEP = 1000, SYNC = 500 };
#define TIMERS                                                                                                         \
    SMALL_FILTER ",\"bufferSweepIntervalMs\":1000,\"repairSweepIntervalMs\":1000,\"syncMessageIntervalMs\":500,"         \
                 "\"maxResendAttempts\":1000"
static const char config[] = "{" TIMERS ",\"resendIntervalMs\":500}";

/* run ticks as a loop would, from one time to another, and returns how often it did. */
static int run(void *ctx, int64_t from, int64_t to)
{
    int64_t now = from;
    int ticks = 0;

    while (now <= to) {
        int64_t next = tick(ctx, now);

        EXPECT(next <= now + SWEEP);
        now = next;
        ticks++;
    }
    return ticks;
}

static void tasks_go_on_across(int64_t moment)
{
    struct diary *diary = new_diary();
    void *alice = open_native("alice", config, diary);
    int resends;

    wrap_native(alice, "channel", "a1", "hello");
    run(alice, moment - 5000, moment - 1);
    resends = diary_count(diary, SDS_EVENT_RESEND_READY, "a1");
    EXPECT(resends >= 3 && resends <= 5);
    EXPECT(diary_count(diary, SDS_EVENT_PERIODIC_SYNC, NULL) >= 8);
    run(alice, moment, moment + 5000);
    EXPECT(diary_count(diary, SDS_EVENT_RESEND_READY, "a1") >= resends + 4);
    EXPECT(diary_count(diary, SDS_EVENT_PERIODIC_SYNC, NULL) >= 17);
    close_native(alice);
}

static void timers_cross_2038(void) { tasks_go_on_across(year_2038); }
static void timers_cross_2106(void) { tasks_go_on_across(year_2106); }

static void timers_run_to_the_last_moment_and_no_further(void)
{
    struct diary *diary = new_diary();
    void *alice = open_native("alice", config, diary);
    int64_t next = 0;
    char *error = NULL;

    wrap_native(alice, "channel", "a1", "hello");
    tick(alice, end_of_9999 - 2000);
    tick(alice, end_of_9999 - 1000);
    EXPECT(tick(alice, end_of_9999) > end_of_9999);
    EXPECT(diary_count(diary, SDS_EVENT_RESEND_READY, "a1") >= 1);
    EXPECT_NUMBER(SdsTick(alice, end_of_9999 + 1, &next, &error), SDS_ERR_INVALID_ARGUMENT);
    EXPECT_NUMBER(next, 0);
    SdsFree(error);
    close_native(alice);
}

/* A clock that is set back, and forward: each task comes an interval later at the latest. */
static void an_hour_back_puts_nothing_off(void)
{
    static const int64_t steps[] = {-3600000, 3600000, -86400000, 86400000};
    struct diary *diary = new_diary();
    void *alice = open_native("alice", config, diary);
    int64_t now = unix_ms();
    size_t i;

    wrap_native(alice, "channel", "a1", "hello");
    run(alice, now, now + 3000);
    now += 3000;
    for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int syncs = diary_count(diary, SDS_EVENT_PERIODIC_SYNC, NULL);
        int resends = diary_count(diary, SDS_EVENT_RESEND_READY, NULL);

        now += steps[i];
        run(alice, now, now + SYNC + 1);
        EXPECT(diary_count(diary, SDS_EVENT_PERIODIC_SYNC, NULL) > syncs);
        run(alice, now + SYNC + 2, now + 4000);
        EXPECT(diary_count(diary, SDS_EVENT_RESEND_READY, NULL) > resends);
        now += 4000;
    }
    close_native(alice);
}

/* Time passes as it likes while messages come and go: all arrive, in order. */
static void messages_arrive_in_any_time(void)
{
    static const int64_t times[] = {0, 1, -1, 2, -2};
    struct diary *diary = new_diary();
    void *alice = open_native("alice", config, NULL), *bob = open_native("bob", config, diary);
    int64_t bases[] = {unix_ms(), year_2038, year_2106, 0, end_of_9999 - hour, 1, year_2038 - hour};
    size_t i, j, count = 0;
    char id[32];

    for (i = 0; i < sizeof bases / sizeof bases[0]; i++)
        for (j = 0; j < sizeof times / sizeof times[0]; j++) {
            int64_t now = bases[i] + times[j] * hour;

            snprintf(id, sizeof id, "a%02zu", count);
            now = now < 0 ? 0 : now > end_of_9999 ? end_of_9999 : now;
            tick(alice, now);
            receive(bob, wrap_native(alice, "channel", id, "hello"));
            tick(bob, now);
            EXPECT_NUMBER(diary_count(diary, SDS_EVENT_MESSAGE_READY, id), 1);
            count++;
        }
    EXPECT_NUMBER(diary_count(diary, SDS_EVENT_MESSAGE_READY, NULL), count);
    EXPECT_NUMBER(diary_count(diary, SDS_EVENT_DEPENDENCIES_LOST, NULL), 0);
    close_native(alice);
    close_native(bob);
}

/* What is due in the next century is kept as such. */
static void a_store_keeps_the_times_of_2106(void)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256], path[300], kept[700], *error = NULL;
    struct diary *diary = new_diary();
    void *alice;

    snprintf(folder, sizeof folder, "%s/libsds-clock-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (!EXPECT(mkdtemp(folder) != NULL))
        return;
    snprintf(path, sizeof path, "%s/store", folder);
    snprintf(kept, sizeof kept, "{\"storePath\":\"%s\"," TIMERS ",\"resendIntervalMs\":10000}", path);
    alice = open_native("alice", kept, diary);
    wrap_native(alice, "channel", "a1", "hello");
    run(alice, year_2106, year_2106 + 1500);
    EXPECT_NUMBER(diary_count(diary, SDS_EVENT_RESEND_READY, "a1"), 1); /* since today, it has waited for long */
    close_native(alice);

    alice = open_native("alice", kept, diary);
    EXPECT_STATUS(SdsEnsureChannel(alice, "channel", &error), SDS_OK);
    run(alice, year_2106 + 2000, year_2106 + 10000);
    EXPECT_NUMBER(diary_count(diary, SDS_EVENT_RESEND_READY, "a1"), 1); /* since then, it has not */
    run(alice, year_2106 + 10001, year_2106 + 13000);
    EXPECT_NUMBER(diary_count(diary, SDS_EVENT_RESEND_READY, "a1"), 2);
    close_native(alice);
    unlink(path);
    EXPECT_NUMBER(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(timers_cross_2038);
    RUN(timers_cross_2106);
    RUN(timers_run_to_the_last_moment_and_no_further);
    RUN(an_hour_back_puts_nothing_off);
    RUN(messages_arrive_in_any_time);
    RUN(a_store_keeps_the_times_of_2106);
    return expect_end();
}
