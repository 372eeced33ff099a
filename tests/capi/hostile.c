/*
 * Messages that nobody should send. Each ends in an error or is harmless: the
 * host lives, its memory stays bounded, its clock stays sane, and the next
 * wrap works.
 */
#include "payload.h"

/* begin_message writes the fields that every message has; the caller goes on in ascending order. */
static struct payload begin_message(const char *id, uint64_t lamport)
{
    struct payload payload = {0};

    payload_text(&payload, 1, id);
    payload_number(&payload, 2, lamport);
    return payload;
}

static void end_message(struct payload *payload)
{
    payload_text(payload, 4, "channel");
    payload_text(payload, 5, "content");
}

/* give hands a payload to the library and frees it; it returns the code that the callback got. */
static int give(void *ctx, struct payload *payload)
{
    struct answer answer = unwrap(ctx, payload_view(payload));

    EXPECT_NUMBER(answer.returned, RET_OK);
    EXPECT_NUMBER(answer.calls, 1);
    EXPECT(answer.code == RET_OK || begins_with(answer.text, "error processing UNWRAP_MESSAGE request: "
                                                             "reDeserializationError"));
    payload_free(payload);
    return answer.code;
}

/* A context that has already talked, so that there is something to lose. */
static void *open_victim(struct journal **heard)
{
    void *ctx = open_context("victim", "{" SMALL_FILTER "}");

    *heard = new_journal();
    SdsSetEventCallback(ctx, journal_event, *heard);
    wrapped(ctx, "channel", "precious", "content");
    return ctx;
}

/* The number in field 2, which follows field 1 in every sds-* message. */
static uint64_t lamport_of(struct bytes wire)
{
    size_t at = 2 + (size_t)wire.data[1];
    uint64_t value = 0;
    int shift;

    EXPECT_NUMBER(wire.data[at], 0x10);
    for (at++, shift = 0; at < wire.length && shift < 64; at++, shift += 7) {
        value |= (uint64_t)(wire.data[at] & 0x7f) << shift;
        if ((wire.data[at] & 0x80) == 0)
            break;
    }
    return value;
}

/* The victim still sends messages that others accept, dated no later than a day from now. */
static void expect_unharmed(void *ctx)
{
    const uint64_t a_day_and_a_bit = 86400 + 600;
    void *peer = open_context("peer", "{" SMALL_FILTER "}");
    struct bytes wire = wrapped(ctx, "channel", "after", "content");

    EXPECT(lamport_of(wire) <= (uint64_t)time(NULL) + a_day_and_a_bit);
    unwrapped(peer, wire);
    close_context(peer);
    close_context(ctx);
}

static void a_timestamp_cannot_poison_the_clock(void)
{
    static const uint64_t lamports[] = {0, INT64_MAX - 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    size_t i;

    for (i = 0; i < sizeof lamports / sizeof lamports[0]; i++) {
        struct journal *heard;
        void *ctx = open_victim(&heard);
        struct payload payload = begin_message("evil", lamports[i]);

        end_message(&payload);
        give(ctx, &payload);
        expect_unharmed(ctx);
    }
}

static void a_filter_that_cannot_be_is_ignored_and_its_message_delivered(void)
{
    enum { FULL = 4096 };
    static const struct {
        size_t length;
        uint64_t k, m;
    } filters[] = {
        {FULL, 10, 0},
        {FULL, 0, 4096},
        {0, 10, 150000},
        {8, 10, 150000},
        {FULL, 10, FULL * 8 + 1},
        {FULL, 10, UINT64_MAX},
        {FULL, 10, (uint64_t)1 << 63},
        {FULL, (uint64_t)1 << 40, 4096},
        {FULL, UINT64_MAX, 4096},
        {FULL, 65, 4096},
        {7, 10, 56},
        {FULL - 1, 10, 4096},
        {8, 1, 1},
        {0, 0, 0},
    };
    unsigned char ones[FULL];
    size_t i;

    memset(ones, 0xff, sizeof ones);
    for (i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct journal *heard;
        void *ctx = open_victim(&heard);
        struct payload payload = begin_message("evil", 5);

        end_message(&payload);
        payload_filter(&payload, ones, filters[i].length, 10000, 1000, filters[i].k, filters[i].m);
        EXPECT_NUMBER(give(ctx, &payload), RET_OK);
        EXPECT_NUMBER(journal_count(heard, "message_ready", "evil"), 1);
        EXPECT_NUMBER(journal_count(heard, "message_sent", NULL), 0);
        expect_unharmed(ctx);
    }
}

static void a_filter_that_claims_everything_acknowledges_nothing(void)
{
    struct journal *heard;
    void *ctx = open_victim(&heard);
    unsigned char ones[2048];
    int i;

    memset(ones, 0xff, sizeof ones);
    for (i = 0; i < 5; i++) {
        char id[16], sender[24];
        struct payload payload;

        snprintf(id, sizeof id, "evil%d", i);
        snprintf(sender, sizeof sender, "sender%d", i);
        payload = begin_message(id, 5);
        end_message(&payload);
        payload_filter(&payload, ones, sizeof ones, 1000, 1000, 10, sizeof ones * 8);
        payload_text(&payload, 7, sender);
        EXPECT_NUMBER(give(ctx, &payload), RET_OK);
    }
    EXPECT_NUMBER(journal_count(heard, "message_sent", NULL), 0);
    expect_unharmed(ctx);
}

static void a_filter_that_is_no_filter_is_ignored(void)
{
    struct journal *heard;
    void *ctx = open_victim(&heard);
    struct payload payload = begin_message("evil", 5);

    end_message(&payload);
    payload_text(&payload, 6, "\xff\xff\xff\xff this is no filter");
    EXPECT_NUMBER(give(ctx, &payload), RET_OK);
    expect_unharmed(ctx);
}

static long resident_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmHWM: %ld", &kib);
    if (status != NULL)
        fclose(status);
    return kib;
}

/* The payload is the sender's memory; what the library adds at its peak is not to be a multiple of the wire limit. */
static void histories_without_end_are_refused_in_bounded_memory(void)
{
    static const int counts[] = {4097, 100000, 2500000, 10000000};
    const long most_growth_kib = 64 * 1024;
    size_t i;

    for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        static const unsigned fields[] = {3, 8, 13};
        struct journal *heard;
        void *ctx = open_victim(&heard);
        size_t field;

        for (field = 0; field < 3; field++) {
            struct payload payload = begin_message("evil", 5);
            struct answer answer;
            long before;
            int j;

            for (j = 0; j < scaled(counts[i]) || j < 4097; j++)
                payload_bytes(&payload, fields[field], "\x0a\x01i", 3);
            end_message(&payload);
            before = resident_kib();
            answer = unwrap(ctx, payload_view(&payload));
            EXPECT_FAILED(answer, "error processing UNWRAP_MESSAGE request: reDeserializationError");
            EXPECT(resident_kib() - before < most_growth_kib);
            payload_free(&payload);
        }
        expect_unharmed(ctx);
    }
}

static void the_longest_history_that_is_allowed_is_accepted(void)
{
    struct journal *heard;
    void *ctx = open_victim(&heard);
    struct payload payload = begin_message("long", 5);
    char id[16];
    int i;

    for (i = 0; i < 4096; i++) {
        snprintf(id, sizeof id, "d%d", i);
        payload_text(&payload, 3, id);
    }
    end_message(&payload);
    EXPECT_NUMBER(give(ctx, &payload), RET_OK);
    expect_unharmed(ctx);
}

/*
 * As much of missing dependencies as a payload can hold, with the longest hints: 8 MiB, which the library keeps, twice, and
 * tells in JSON, in the answer and in the event, of which this test takes copies.
 */
static void the_longest_hints_are_told_in_bounded_memory(void)
{
    enum { ENTRIES = 1900, HINT = 4096 };
    const long most_growth_kib = 256 * 1024;
    static unsigned char hint[HINT];
    struct journal *heard;
    void *ctx = open_victim(&heard);
    struct payload payload = begin_message("hinted", 5);
    struct answer answer;
    long before;
    int entries = scaled(ENTRIES), i;

    memset(hint, 0xff, sizeof hint);
    for (i = 0; i < entries; i++) {
        struct payload entry = {0};
        char id[16];

        snprintf(id, sizeof id, "d%d", i);
        payload_text(&entry, 1, id);
        payload_bytes(&entry, 2, hint, sizeof hint);
        payload_bytes(&payload, 3, entry.data, entry.length);
        payload_free(&entry);
    }
    end_message(&payload);
    before = resident_kib();
    answer = unwrap(ctx, payload_view(&payload));
    EXPECT_OK(answer);
    EXPECT(answer.length > (size_t)entries * HINT);
    if (!EXPECT(resident_kib() - before < most_growth_kib))
        printf("    %ld KiB more\n", resident_kib() - before);
    EXPECT_NUMBER(journal_count(heard, "missing_dependencies", "hinted"), 1);
    payload_free(&payload);
    expect_unharmed(ctx);
}

/* Wherever it stands; and the error does not repeat it. */
static void an_id_of_a_megabyte_is_refused_in_few_words(void)
{
    enum { MEGABYTE = 1 << 20 };
    static const unsigned fields[] = {1, 3, 4, 7};
    char *id = scratch(MEGABYTE + 1);
    size_t i;

    memset(id, 'x', MEGABYTE);
    id[MEGABYTE] = '\0';
    for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        struct journal *heard;
        void *ctx = open_victim(&heard);
        struct payload payload = begin_message("evil", 5);
        struct answer answer;

        end_message(&payload);
        payload_text(&payload, fields[i], id);
        answer = unwrap(ctx, payload_view(&payload));
        EXPECT_FAILED(answer, "error processing UNWRAP_MESSAGE request: reDeserializationError");
        EXPECT(answer.length < 256);
        payload_free(&payload);
        expect_unharmed(ctx);
    }
}

static void fields_that_break_the_format_are_refused(void)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t length;
    } cases[] = {
        {"an overlong varint", "\x0a\x01m\x10\x81\x80\x00\x22\x01" "c\x2a\x01x", 13},
        {"a varint of eleven bytes", "\x0a\x01m\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x22\x01" "c\x2a\x01x", 21},
        {"a group", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x01x\x53\x54", 13},
        {"wire type 6", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x01x\x56", 12},
        {"field 0", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x01x\x02\x00", 13},
        {"a length past the end", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x7fx", 11},
        {"a length of 2^63", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01x", 20},
        {"an empty message id", "\x0a\x00\x10\x01\x22\x01" "c\x2a\x01x", 10},
        {"an empty channel id", "\x0a\x01m\x10\x01\x22\x00\x2a\x01x", 10},
        {"an id that is not UTF-8", "\x0a\x01\xff\x10\x01\x22\x01" "c\x2a\x01x", 11},
        {"a channel id as a number", "\x0a\x01m\x10\x01\x20\x01\x2a\x01x", 10},
        {"trailing bytes", "\x0a\x01m\x10\x01\x22\x01" "c\x2a\x01x\x00", 12},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct journal *heard;
        void *ctx = open_victim(&heard);
        struct payload payload = {0};

        payload_raw(&payload, cases[i].bytes, cases[i].length);
        if (!EXPECT_NUMBER(give(ctx, &payload), RET_ERR))
            printf("    accepted: %s\n", cases[i].what);
        expect_unharmed(ctx);
    }
}

/* A message of every sort, as a peer would send it: history, hints, repair requests, filter. */
static struct bytes valid_message(void)
{
    void *peer = open_context("peer", "{\"bloomFilterCapacity\":20,\"repairTMinMs\":0,\"repairTMaxMs\":1}");
    struct payload lost = begin_message("x2", 7);
    struct bytes wire;

    payload_text(&lost, 3, "x1");
    end_message(&lost);
    payload_text(&lost, 7, "another");
    EXPECT_NUMBER(give(peer, &lost), RET_OK);
    wrapped(peer, "channel", "v1", "one");
    wire = wrapped(peer, "channel", "v2", "two");
    close_context(peer);
    return wire;
}

static void every_truncation_of_a_message_is_survived(void)
{
    struct journal *heard;
    void *ctx = open_victim(&heard);
    struct bytes wire = valid_message();
    size_t whole = wire.length;

    for (wire.length = 0; wire.length < whole; wire.length++) {
        /* The exact size, on the heap: a read past the end is then seen by the tools that look for it. */
        struct payload cut = {0};

        payload_raw(&cut, wire.data, wire.length);
        cut.data = realloc(cut.data, wire.length > 0 ? wire.length : 1);
        give(ctx, &cut);
    }
    expect_unharmed(ctx);
}

/* xorshift64: the same payloads in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void count_harmless(int code, const char *text, size_t length, void *userData)
{
    int *counts = userData;

    counts[0]++;
    counts[1] += code == RET_OK;
    if (code != RET_OK && !begins_with(text, "error processing UNWRAP_MESSAGE request: reDeserializationError"))
        EXPECT_TEXT(text, "error processing UNWRAP_MESSAGE request: reDeserializationError");
    if (text[length] != '\0')
        EXPECT(!"terminated");
}

static void random_bytes_are_survived(void)
{
    void *ctx = open_context("victim", "{\"bloomFilterCapacity\":20}");
    int rounds = scaled(100000), counts[2] = {0, 0}, i;
    uint64_t state = 0x5d5d5d5d12345678;
    unsigned char bytes[256];

    for (i = 0; i < rounds; i++) {
        size_t length = next_random(&state) % sizeof bytes, j;

        for (j = 0; j < length; j++)
            bytes[j] = (unsigned char)next_random(&state);
        SdsUnwrapReceivedMessage(ctx, bytes, length, count_harmless, counts);
    }
    EXPECT_NUMBER(counts[0], rounds);
    expect_unharmed(ctx);
}

static void a_message_with_wrong_bytes_is_survived(void)
{
    void *ctx = open_context("victim", "{\"bloomFilterCapacity\":20}");
    struct bytes wire = valid_message();
    int rounds = scaled(100000), counts[2] = {0, 0}, i;
    uint64_t state = 0x0123456789abcdef;
    unsigned char *mutated = scratch(wire.length);

    for (i = 0; i < rounds; i++) {
        uint64_t changes = next_random(&state) % 4 + 1;

        memcpy(mutated, wire.data, wire.length);
        for (; changes > 0; changes--)
            mutated[next_random(&state) % wire.length] = (unsigned char)next_random(&state);
        SdsUnwrapReceivedMessage(ctx, mutated, wire.length, count_harmless, counts);
    }
    EXPECT_NUMBER(counts[0], rounds);
    EXPECT(counts[1] > 0);
    expect_unharmed(ctx);
}

int main(int argc, char **argv)
{
    expect_begin(argc, argv);
    RUN(a_timestamp_cannot_poison_the_clock);
    RUN(a_filter_that_cannot_be_is_ignored_and_its_message_delivered);
    RUN(a_filter_that_claims_everything_acknowledges_nothing);
    RUN(a_filter_that_is_no_filter_is_ignored);
    RUN(the_longest_hints_are_told_in_bounded_memory); /* before what takes more memory than that itself */
    RUN(histories_without_end_are_refused_in_bounded_memory);
    RUN(the_longest_history_that_is_allowed_is_accepted);
    RUN(an_id_of_a_megabyte_is_refused_in_few_words);
    RUN(fields_that_break_the_format_are_refused);
    RUN(every_truncation_of_a_message_is_survived);
    RUN(random_bytes_are_survived);
    RUN(a_message_with_wrong_bytes_is_survived);
    return expect_end();
}
