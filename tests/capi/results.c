/*
 * A result stays readable after its callback: hosts exist that read it a
 * little later, on another thread. The ABI promises one second; this reads
 * after half of one.
 */
#include "host.h"

enum { READ_AFTER_MS = 500, PROMISED_MS = 1000, MOST_RESULTS = 2000 };

/* A result as the library gave it, and what it said then. */
struct kept {
    const char *original;
    char *copy;
    size_t length;
    double taken_at;
};

static void keep(int code, const char *text, size_t length, void *userData)
{
    struct kept *kept = userData;

    EXPECT_NUMBER(code, RET_OK);
    EXPECT(text != NULL && length > 0 && text[length] == '\0');
    kept->original = text;
    kept->copy = scratch_copy(text, length);
    kept->length = length;
    kept->taken_at = seconds_now();
}

/*
 * judge reads a result again, once it is old enough, and tells whether it was
 * possible to: a machine that was busy for longer than the promise proves
 * nothing.
 */
static int judge(const struct kept *kept)
{
    while (seconds_now() - kept->taken_at < READ_AFTER_MS / 1000.0)
        sleep_ms(1);
    if (seconds_now() - kept->taken_at > (PROMISED_MS - 100) / 1000.0)
        return 0;
    EXPECT(memcmp(kept->original, kept->copy, kept->length + 1) == 0);
    return 1;
}

/* Other contexts keep the allocator busy, so that memory given back early would be written over. */
static atomic_int stop_traffic;

static void *make_traffic(void *unused)
{
    void *ctx = open_context("noise", NULL);
    int i;

    for (i = 0; !atomic_load(&stop_traffic); i++) {
        char id[32];
        void *block = malloc((size_t)(i % 64 + 1) * 1024);

        snprintf(id, sizeof id, "t%d", i);
        SdsWrapOutgoingMessage(ctx, id, strlen(id), id, "channel", count_calls, NULL);
        if (block != NULL)
            memset(block, 0x5a, (size_t)(i % 64 + 1) * 1024);
        free(block);
        sleep_ms(2);
    }
    close_context(ctx);
    return unused;
}

static void results_are_intact_half_a_second_later(void)
{
    static struct kept kept[MOST_RESULTS];
    void *alice = open_context("alice", NULL), *bob = open_context("bob", NULL);
    int wanted = scaled(400), taken = 0, judged = 0, expired = 0;
    pthread_t traffic[2];
    int i;

    atomic_store(&stop_traffic, 0);
    for (i = 0; i < 2; i++)
        pthread_create(&traffic[i], NULL, make_traffic, NULL);
    while (judged < wanted && taken + 2 <= MOST_RESULTS) {
        struct kept *sent = &kept[taken], *received = &kept[taken + 1];
        struct bytes wire;
        char id[32];

        snprintf(id, sizeof id, "m%d", taken);
        EXPECT_NUMBER(SdsWrapOutgoingMessage(alice, id, strlen(id), id, "channel", keep, sent), RET_OK);
        wire = read_decimal(sent->copy);
        EXPECT_NUMBER(SdsUnwrapReceivedMessage(bob, wire.data, wire.length, keep, received), RET_OK);
        taken += 2;
        while (judged + expired < taken && seconds_now() - kept[judged + expired].taken_at > READ_AFTER_MS / 1000.0) {
            if (judge(&kept[judged + expired]))
                judged++;
            else
                expired++;
        }
        sleep_ms(2);
    }
    atomic_store(&stop_traffic, 1);
    for (i = 0; i < 2; i++)
        pthread_join(traffic[i], NULL);
    if (!EXPECT(judged >= wanted))
        printf("    only %d of %d results could be judged, %d expired first\n", judged, wanted, expired);
    close_context(alice);
    close_context(bob);
}

/* Errors are texts like any other. */
static void keep_error(int code, const char *text, size_t length, void *userData)
{
    struct kept *kept = userData;

    EXPECT_NUMBER(code, RET_ERR);
    kept->original = text;
    kept->copy = scratch_copy(text, length);
    kept->length = length;
    kept->taken_at = seconds_now();
}

static void errors_are_intact_half_a_second_later(void)
{
    struct kept refused, failed, config;
    void *ctx = open_context("alice", NULL);
    int judged;

    SdsStartPeriodicTasks(NULL, keep_error, &refused);
    SdsUnwrapReceivedMessage(ctx, ctx, 0, keep_error, &failed);
    EXPECT(SdsNewReliabilityManagerWithConfig("alice", "{\"bogus\":1}", keep_error, &config) == NULL);
    judged = judge(&refused) + judge(&failed) + judge(&config);
    EXPECT_NUMBER(judged, 3);
    close_context(ctx);
}

static void a_result_outlives_its_context(void)
{
    struct kept kept;
    char content[] = "content";
    void *ctx = open_context("alice", NULL);

    EXPECT_NUMBER(SdsWrapOutgoingMessage(ctx, content, sizeof content, "m1", "channel", keep, &kept), RET_OK);
    close_context(ctx);
    EXPECT_NUMBER(judge(&kept), 1);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(results_are_intact_half_a_second_later);
    RUN(errors_are_intact_half_a_second_later);
    RUN(a_result_outlives_its_context);
    return expect_end();
}
